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

-- Persons are sets, in one tree: a diner's days lie side by side, so whether there was an earlier one is known
-- where a day is added, and a day's people are counted there.
create table visit (
    store text not null,
    vid   blob not null,
    day   text not null,
    primary key (store, vid, day)
) strict, without rowid;

create table figure_day (
    store     text    not null,
    day       text    not null,
    people    integer not null,
    -- Those of them with an earlier day.
    came_back integer not null,
    primary key (store, day)
) strict, without rowid;

insert into visit (store, vid, day) select store, vid, day from visit_day order by store, vid, day;

insert into figure_day (store, day, people, came_back)
select visit_day.store, visit_day.day, count(*), count(*) filter (where person_first.day < visit_day.day)
from visit_day join person_first using (store, vid)
group by visit_day.store, visit_day.day;

drop table visit_day;
drop table person_first;
