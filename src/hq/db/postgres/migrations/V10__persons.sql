-- What diners have agreed to: the last word of each. A diner who was erased is here under no name of theirs.
create table consent (
    vid       uuid        primary key,
    store     text        not null,
    version   bigint      not null,
    hash      text        not null,
    at        timestamptz not null,
    -- Null while it stands.
    withdrawn timestamptz
);

-- Who asked to be forgotten: by name until every box has answered, and from then on as a number in a list.
create table erasure (
    no      bigint      generated always as identity primary key,
    vid     uuid        unique,
    -- What every row and frame counts them under since.
    instead uuid        not null,
    store   text        not null,
    asked   timestamptz not null,
    heard   timestamptz not null,
    -- When the rows and frames were last gone through, and how many boxes had answered then.
    swept   timestamptz,
    boxes   bigint      not null default 0,
    done    bigint      not null default 0,
    frames  bigint      not null default 0
);

-- Who was on the guest Wi-Fi and when, where the law wants it kept: sealed, apart from everything else, and for
-- its own time.
create table access_log (
    no       bigint      generated always as identity primary key,
    store    text        not null,
    at       timestamptz not null,
    received timestamptz not null,
    sealed   text        not null
);
