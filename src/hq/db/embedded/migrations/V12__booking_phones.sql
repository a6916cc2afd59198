-- Numbers that guests typed with bookings: sealed, and nowhere else.
create table booking_phone (
    store    text    not null,
    booking  blob    not null,
    code     text    not null,
    vid      blob    not null,
    revision integer not null,
    at       integer not null,
    sealed   text,
    primary key (store, booking)
) strict, without rowid;
