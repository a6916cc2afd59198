-- The ledger of a chain. Days and hours are the stores' own; everything else is in UTC.

-- Where each stream stands. Exactly-once rests on `acked` alone: it moves in the transaction that stores.
create table stream (
    no      integer generated always as identity primary key,
    id      uuid        not null unique,
    gateway integer     not null,
    acked   bigint      not null default 0,
    -- The chain after `acked`: 8 bytes, or null where a gap hid it.
    chain   bytea       default '\x0000000000000000',
    resent  bigint      not null default 0,
    -- Frames that the gateway has and has not sent, as it last said.
    waiting bigint      not null default 0,
    updated timestamptz not null,
    -- For ever: two holders of this stream did not agree.
    closed  timestamptz,
    -- When it was noted that frames are missing here.
    behind  timestamptz
) with (fillfactor = 40); -- the mark moves all the time, and on its own page

create index stream_of on stream (gateway);

-- What gateways sent, byte for byte. No unique index, on purpose: see `stream`. Parted by the day of
-- receipt, which never changes, so that an old day can be dropped as a whole.
create table frame (
    stream   integer     not null,
    seq      bigint      not null,
    id       uuid        not null,
    store    text,
    -- As the gateway sent them, in Unix milliseconds; null: only the body tells the time.
    at       bigint,
    tq       smallint,
    body     bytea       not null,
    received timestamptz not null
) partition by range (received);

-- For frames that come again, and for what is known of a closed stream.
create index frame_of on frame (stream, seq);

-- The events of those frames that could be read.
create table event (
    stream   integer     not null,
    seq      bigint      not null,
    kind     smallint    not null,
    tq       smallint    not null,
    store    text        not null,
    at       timestamptz not null,
    campaign text,
    coupon   uuid,
    vid      uuid,
    received timestamptz not null
) partition by range (received);

-- Numbers of a stream that will never come.
create table gap (
    stream   integer     not null,
    first    bigint      not null,
    last     bigint      not null,
    why      text        not null,
    received timestamptz not null
);

-- Frames and events that were acknowledged and not counted, with the reason.
create table quarantine (
    stream   integer     not null,
    seq      bigint      not null,
    kind     integer,
    code     text        not null,
    reason   text        not null,
    received timestamptz not null
);

-- Figures: one row per store, local hour and campaign ('' for none), one column per step.
create table figure_hour (
    store             text      not null,
    hour              timestamp not null,
    campaign          text      not null,
    came              bigint    not null,
    claimed           bigint    not null,
    consented         bigint    not null,
    redeemed          bigint    not null,
    refused           bigint    not null,
    off_peak_came     bigint    not null,
    off_peak_claimed  bigint    not null,
    off_peak_redeemed bigint    not null,
    uncertain         bigint    not null,
    primary key (store, hour, campaign)
) with (fillfactor = 60);

-- Persons are sets, so the order and the lateness of events change nothing.
create table visit_day (
    store text not null,
    day   date not null,
    vid   uuid not null,
    primary key (store, day, vid)
);

create table person_first (
    store text not null,
    vid   uuid not null,
    day   date not null,
    primary key (store, vid)
);

create table gateway (
    id             integer generated always as identity primary key,
    serves         text        not null,
    coupon_key     text        not null,
    software       text        not null,
    enrolled       timestamptz not null,
    revoked        timestamptz,
    last_seen      timestamptz,
    reported       bigint,
    reported_state text,
    reported_why   text
) with (fillfactor = 60);

-- Serial numbers of client certificates. A renewed one retires its elders when it is first used.
create table certificate (
    serial    text primary key,
    gateway   integer     not null,
    issued    timestamptz not null,
    not_after timestamptz not null,
    retired   timestamptz
);

-- Each request asks whether its certificate has elders.
create index certificate_of on certificate (gateway);

create table token (
    hash    bytea primary key,
    serves  text        not null,
    made    timestamptz not null,
    expires timestamptz not null,
    used    timestamptz,
    gateway integer
);

create table bundle (
    gateway integer primary key,
    version bigint      not null,
    sha256  text        not null,
    content text        not null,
    made    timestamptz not null
);

create table admin (
    login text primary key,
    hash  text not null
);

create table session (
    hash    bytea primary key,
    login   text        not null,
    expires timestamptz not null
);

create table audit (
    id     bigint generated always as identity primary key,
    at     timestamptz not null,
    action text        not null,
    object text        not null,
    detail text        not null
);
