-- Numbers that guests typed with bookings: sealed, and nowhere else.
create table booking_phone (
    store    text        not null,
    booking  uuid        not null,
    code     text        not null,
    vid      uuid        not null,
    revision bigint      not null,
    at       timestamptz not null,
    sealed   text,
    primary key (store, booking)
);
