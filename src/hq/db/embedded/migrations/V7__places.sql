-- What each place of a store has brought, by the business day: '' for what belongs to no place. One row a deed.
create table figure_place (
    store text    not null,
    day   text    not null,
    place text    not null,
    deed  text    not null,
    count integer not null,
    primary key (store, day, place, deed)
) strict, without rowid;

-- Diners by the place and the day of their claim: sets, as visits are.
create table patron (
    store text not null,
    day   text not null,
    place text not null,
    vid   blob not null,
    primary key (store, day, place, vid)
) strict, without rowid;

-- The first business day that is counted whole, wherever the store is; null where it is every day.
create table places_since (
    day text
) strict;

insert into places_since
select case when exists (select 1 from frame) then date('now', '+2 days') end;
