-- What a command says beyond its kind and its coupon, as JSON.
alter table command add column details text;

-- What every box of a store has to know of coupons ('street': of the street; '': every box), for boxes that
-- are enrolled later, too.
create table notice (
    no      bigint      generated always as identity primary key,
    store   text        not null,
    -- The same notice is given once.
    id      uuid        not null,
    kind    text        not null,
    coupon  uuid        not null,
    details text,
    -- When nobody can show the coupon any more.
    until   timestamptz not null,
    unique (store, id)
);

-- Redemptions, whichever box told of them. Each fact comes by itself, in any order.
create table redemption (
    coupon     uuid not null,
    redemption uuid not null,
    store      text not null,
    -- The coupon's own store, where that is another.
    home       text,
    redeemed   timestamptz,
    undone     timestamptz,
    primary key (coupon, redemption)
);

create index redemption_elsewhere on redemption (coupon) where home is not null;

-- What was redeemed before this table was there; nobody kept under which number.
insert into redemption (coupon, redemption, store, redeemed)
select coupon, '00000000-0000-0000-0000-000000000000', min(store), max(at) from event
where kind in (4, 5) and coupon is not null
group by coupon having sum(case kind when 4 then 1 else -1 end) > 0;

-- Who has been told that they may redeem a coupon of another store, until their journal says that they did.
create table reservation (
    coupon     uuid        primary key,
    redemption uuid        not null,
    gateway    integer     not null,
    store      text        not null,
    made       timestamptz not null
);
