-- What gateways ask to have certified: the key that each has made for its store's host.
create table host_request (
    gateway  integer primary key,
    csr_pem  text        not null,
    received timestamptz not null
);
