-- What diners have agreed to: the last word of each. A diner who was erased is here under no name of theirs.
create table consent (
    vid       blob    primary key,
    store     text    not null,
    version   integer not null,
    hash      text    not null,
    at        integer not null,
    -- Null while it stands.
    withdrawn integer
) strict, without rowid;

-- Who asked to be forgotten: by name until every box has answered, and from then on as a number in a list.
create table erasure (
    no      integer primary key,
    vid     blob    unique,
    -- What every row and frame counts them under since.
    instead blob    not null,
    store   text    not null,
    asked   integer not null,
    heard   integer not null,
    -- When the rows and frames were last gone through, and how many boxes had answered then.
    swept   integer,
    boxes   integer not null default 0,
    done    integer not null default 0,
    frames  integer not null default 0
) strict;

-- Who was on the guest Wi-Fi and when, where the law wants it kept: sealed, apart from everything else, and for
-- its own time.
create table access_log (
    no       integer primary key,
    store    text    not null,
    at       integer not null,
    received integer not null,
    sealed   text    not null
) strict;
