-- What headquarters asks of its gateways: numbered at each of them, kept for a box that starts anew.

create table command (
    gateway integer not null,
    number  integer not null,
    id      blob    not null,
    kind    text    not null,
    coupon  blob,
    made    integer not null,
    -- What the gateway's journal says became of it; null before that.
    outcome text,
    primary key (gateway, number)
) strict, without rowid;

-- The highest number that was given, here or before the ledger came back from a backup.
alter table gateway add column commands_given integer not null default 0;
-- The number that the gateway has last said it has dealt with.
alter table gateway add column commands_done integer not null default 0;

-- An outcome comes with the command's id: the number may have changed meanwhile.
create unique index command_of on command (id);
