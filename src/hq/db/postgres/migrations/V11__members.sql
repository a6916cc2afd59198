-- Guests of a store, as pseudonyms: the last word on their card, VIP, group, birthday and consent.
create table member_word (
    store text        not null,
    vid   uuid        not null,
    about text        not null,
    -- Since when, or what; null: no more.
    value text,
    at    timestamptz not null,
    primary key (store, vid, about)
);

-- What the party of a redemption paid, and whose it was. Each fact comes by itself, in any order.
create table spending (
    redemption uuid    primary key,
    store      text    not null,
    vid        uuid,
    fen        bigint,
    undone     boolean not null default false
);

create index spending_of on spending (store, vid);

-- Who was written to, when, and for what.
create table reach (
    store text        not null,
    vid   uuid        not null,
    at    timestamptz not null,
    list  text        not null,
    primary key (store, vid, at)
);

-- Members of before, by the hash of their phone number, which no box is told.
create table member_import (
    store    text        not null,
    phone    text        not null,
    vid      uuid,
    since    date        not null,
    consents boolean,
    at       timestamptz not null,
    primary key (store, phone)
);

-- A notice may be about a guest, and then names no coupon.
alter table notice alter column coupon drop not null;
