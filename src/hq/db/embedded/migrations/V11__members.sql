-- Guests of a store, as pseudonyms: the last word on their card, VIP, group, birthday and consent.
create table member_word (
    store text    not null,
    vid   blob    not null,
    about text    not null,
    -- Since when, or what; null: no more.
    value text,
    at    integer not null,
    primary key (store, vid, about)
) strict, without rowid;

-- What the party of a redemption paid, and whose it was. Each fact comes by itself, in any order.
create table spending (
    redemption blob    primary key,
    store      text    not null,
    vid        blob,
    fen        integer,
    undone     integer not null default 0
) strict, without rowid;

create index spending_of on spending (store, vid);

-- Who was written to, when, and for what.
create table reach (
    store text    not null,
    vid   blob    not null,
    at    integer not null,
    list  text    not null,
    primary key (store, vid, at)
) strict, without rowid;

-- Members of before, by the hash of their phone number, which no box is told.
create table member_import (
    store    text    not null,
    phone    text    not null,
    vid      blob,
    since    text    not null,
    consents integer,
    at       integer not null,
    primary key (store, phone)
) strict, without rowid;

-- A notice may be about a guest, and then names no coupon.
create table notice_now (
    no      integer primary key,
    store   text    not null,
    id      blob    not null,
    kind    text    not null,
    coupon  blob,
    details text,
    until   integer not null,
    unique (store, id)
) strict;
insert into notice_now (no, store, id, kind, coupon, details, until)
select no, store, id, kind, coupon, details, until from notice;
drop table notice;
alter table notice_now rename to notice;
