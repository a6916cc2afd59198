-- The question that was told yes: only that one's word that nothing was given ends it.
alter table reservation add column nonce bigint not null default 0;

-- A sister's question looks for the voids that were told before there were notices.
create index command_void on command (coupon) where kind = 'void_coupon';
