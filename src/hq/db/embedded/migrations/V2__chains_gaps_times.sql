-- Chains, gaps and closed streams; times that a gateway has fixed.

alter table stream add column chain blob;
-- When it was closed, for ever.
alter table stream add column closed integer;
update stream set closed = rolled_back;

-- As the gateway sent them; null: only the body tells the time.
alter table frame add column at integer;
alter table frame add column tq integer;

-- For frames that come again, and for what is known of a closed stream. Not unique: the mark counts.
create index frame_of on frame (stream, seq);

alter table event add column tq integer not null default 0;

-- Numbers that will never come.
create table gap (
    stream   blob    not null,
    first    integer not null,
    last     integer not null,
    why      text    not null,
    received integer not null
) strict;

alter table figure_hour add column uncertain integer not null default 0;
