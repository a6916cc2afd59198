-- The ledger of headquarters. Times are Unix milliseconds; days and hours are the store's own, as text.

-- Where each stream stands. Exactly-once rests on `acked` alone: it moves in the transaction that stores.
create table stream (
    id      blob primary key,
    gateway integer not null,
    acked   integer not null,
    resent  integer not null default 0,
    updated integer not null,
    -- Frames that the gateway has and has not sent, as it last said.
    waiting integer not null default 0,
    -- When a hello showed that the gateway, or the ledger, is older than the other; null where they agree.
    rolled_back integer,
    behind      integer
) strict, without rowid;

create index stream_of on stream (gateway);

-- What gateways sent, byte for byte. No unique index, on purpose: see `stream`.
create table frame (
    stream   blob    not null,
    seq      integer not null,
    id       blob    not null,
    store    text,
    body     blob    not null,
    received integer not null
) strict;

-- The events of those frames that could be read.
create table event (
    stream   blob    not null,
    seq      integer not null,
    kind     integer not null,
    store    text    not null,
    at       integer not null,
    campaign text,
    coupon   blob,
    vid      blob
) strict;

-- Frames and events that were acknowledged and not counted, with the reason.
create table quarantine (
    stream   blob    not null,
    seq      integer not null,
    kind     integer,
    code     text    not null,
    reason   text    not null,
    received integer not null
) strict;

-- Figures: one row per store, local hour and campaign ('' for none), one column per step.
create table figure_hour (
    store             text    not null,
    hour              text    not null,
    campaign          text    not null,
    came              integer not null default 0,
    claimed           integer not null default 0,
    consented         integer not null default 0,
    redeemed          integer not null default 0,
    refused           integer not null default 0,
    off_peak_came     integer not null default 0,
    off_peak_claimed  integer not null default 0,
    off_peak_redeemed integer not null default 0,
    primary key (store, hour, campaign)
) strict, without rowid;

-- Persons are sets, so the order and the lateness of events change nothing.
create table visit_day (
    store text not null,
    day   text not null,
    vid   blob not null,
    primary key (store, day, vid)
) strict, without rowid;

create table person_first (
    store text not null,
    vid   blob not null,
    day   text not null,
    primary key (store, vid)
) strict, without rowid;

create table gateway (
    id             integer primary key autoincrement,
    serves         text    not null,
    coupon_key     text    not null,
    software       text    not null,
    enrolled       integer not null,
    revoked        integer,
    last_seen      integer,
    reported       integer,
    reported_state text,
    reported_why   text
) strict;

-- Serial numbers of client certificates. A renewed one retires its elders when it is first used.
create table certificate (
    serial    text primary key,
    gateway   integer not null,
    issued    integer not null,
    not_after integer not null,
    retired   integer
) strict, without rowid;

-- Each request asks whether its certificate has elders.
create index certificate_of on certificate (gateway);

create table token (
    hash    blob primary key,
    serves  text    not null,
    made    integer not null,
    expires integer not null,
    used    integer,
    gateway integer
) strict, without rowid;

create table bundle (
    gateway integer primary key,
    version integer not null,
    sha256  text    not null,
    content text    not null,
    made    integer not null
) strict;

create table admin (
    login text primary key,
    hash  text not null
) strict, without rowid;

create table session (
    hash    blob primary key,
    login   text    not null,
    expires integer not null
) strict, without rowid;

create table audit (
    id     integer primary key autoincrement,
    at     integer not null,
    action text    not null,
    object text    not null,
    detail text    not null
) strict;
