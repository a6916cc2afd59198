-- What a command says beyond its kind and its coupon, as JSON.
alter table command add column details text;

-- What every box of a store has to know of coupons ('street': of the street; '': every box), for boxes that
-- are enrolled later, too.
create table notice (
    no      integer primary key,
    store   text    not null,
    -- The same notice is given once.
    id      blob    not null,
    kind    text    not null,
    coupon  blob    not null,
    details text,
    -- When nobody can show the coupon any more.
    until   integer not null,
    unique (store, id)
) strict;

-- Redemptions, whichever box told of them. Each fact comes by itself, in any order.
create table redemption (
    coupon     blob not null,
    redemption blob not null,
    store      text not null,
    -- The coupon's own store, where that is another.
    home       text,
    redeemed   integer,
    undone     integer,
    primary key (coupon, redemption)
) strict, without rowid;

create index redemption_elsewhere on redemption (coupon) where home is not null;

-- What was redeemed before this table was there; nobody kept under which number.
insert into redemption (coupon, redemption, store, redeemed)
select coupon, zeroblob(16), min(store), max(at) from event
where kind in (4, 5) and coupon is not null
group by coupon having sum(case kind when 4 then 1 else -1 end) > 0;

-- Who has been told that they may redeem a coupon of another store, until their journal says that they did.
create table reservation (
    coupon     blob    primary key,
    redemption blob    not null,
    gateway    integer not null,
    store      text    not null,
    made       integer not null
) strict, without rowid;
