-- What headquarters asks of its gateways: numbered at each of them, kept for a box that starts anew.

create table command (
    gateway integer     not null,
    number  bigint      not null,
    id      uuid        not null,
    kind    text        not null,
    coupon  uuid,
    made    timestamptz not null,
    -- What the gateway's journal says became of it; null before that.
    outcome text,
    primary key (gateway, number)
);

-- The highest number that was given, here or before the ledger came back from a backup.
alter table gateway add column commands_given bigint not null default 0;
-- The number that the gateway has last said it has dealt with.
alter table gateway add column commands_done bigint not null default 0;

-- An outcome comes with the command's id: the number may have changed meanwhile.
create unique index command_of on command (id);
