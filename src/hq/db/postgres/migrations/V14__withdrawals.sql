-- An agreement is a store's own and a withdrawal a person's: each has a word of its own.
update member_word set about = 'withdrawn', value = '' where about = 'consent' and value is null;

insert into member_word (store, vid, about, value, at)
select store, vid, 'withdrawn', hash, withdrawn from consent where withdrawn is not null
on conflict (store, vid, about) do update set at = excluded.at where excluded.at > member_word.at;

-- A list of before told of a time that nobody knows, and was taken for the last word.
update member_word set at = 'epoch' where about = 'consent' and value = 'imported';

create index member_word_of on member_word (vid);
