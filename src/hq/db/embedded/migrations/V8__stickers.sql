-- What staff said of stickers by scanning them, and operators against it: the last word on a code counts.
create table sticker_word (
    number  integer primary key autoincrement,
    id      blob    not null unique,
    store   text    not null,
    code    text    not null,
    -- Both null: as the chain's folder says. An empty label: no place.
    kind    text,
    label   text,
    who     text    not null,
    -- Null: an operator.
    gateway integer,
    at      integer not null
) strict;
create index sticker_word_of on sticker_word (code, store, number);

-- The last walk past all stickers of a store.
create table walk (
    store   text    primary key,
    at      integer not null,
    who     text    not null,
    places  integer not null,
    found   integer not null,
    missing integer not null,
    wrong   integer not null,
    doubled integer not null
) strict, without rowid;
