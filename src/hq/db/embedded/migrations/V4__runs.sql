-- Which frames are stored under which numbers: the ids of frames that came together, one behind the other, up
-- to a hundred of them. Frames that come again are held against these, so the frames need no index, which
-- every one of them would have to go into.
create table run (
    stream blob    not null,
    first  integer not null,
    ids    blob    not null
) strict;

create index run_of on run (stream, first);

insert into run (stream, first, ids) select stream, seq, id from frame order by stream, seq;

drop index frame_of;
