-- Which frames are stored under which numbers: the ids of frames that came together, one behind the other, up
-- to a hundred of them. Frames that come again are held against these, so the frames need no index, which
-- every one of them would have to go into.
create table run (
    stream   integer     not null,
    first    bigint      not null,
    ids      bytea       not null,
    received timestamptz not null
) partition by range (received);

create index run_of on run (stream, first);

-- A part for each day that frames have one for.
do $$
declare
    made date;
begin
    for made in
        select to_date(substr(relname, 7), 'YYYYMMDD')
        from pg_inherits join pg_class on pg_class.oid = inhrelid
        where inhparent = 'frame'::regclass
    loop
        execute format(
            'create table %I partition of run for values from (%L) to (%L)',
            'run_' || to_char(made, 'YYYYMMDD'),
            to_char(made, 'YYYY-MM-DD 00:00:00+00'), to_char(made + 1, 'YYYY-MM-DD 00:00:00+00')
        );
    end loop;
end $$;

insert into run (stream, first, ids, received)
select stream, min(seq), string_agg(uuid_send(id), '' order by seq), received
from (
    select stream, seq, id, received,
           seq - row_number() over (partition by stream, received order by seq) as gap
    from frame
) numbered
group by stream, received, gap, seq / 100;

drop index frame_of;
