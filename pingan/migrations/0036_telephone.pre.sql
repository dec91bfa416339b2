-- What happens on the telephone: words of the provider that may come twice, the desk's telephones, and what somebody
-- who is asked for two homes at once has written.

create table webhooks_heard (
    key text primary key,
    at timestamptz not null
);
comment on table webhooks_heard is 'What the telephone provider has told and was acted on: told again, late or replayed, it has no effect. A key is the provider''s own id, or that of the send with the key that was pressed.';

create table desk_shifts (
    id bigint generated always as identity primary key,
    account text not null references accounts,
    phone text not null check (phone ~ '^\+[1-9][0-9]{7,14}$'),
    fallback text check (fallback ~ '^\+[1-9][0-9]{7,14}$'),
    since timestamptz not null,
    until timestamptz not null,
    check (since < until)
);
create index desk_shifts_by_account on desk_shifts (account, since);
comment on table desk_shifts is 'The ordinary telephones of the desk, by shift: which one rings, and which one when that is not taken.';

create table words_pending (
    number text primary key,
    text text not null,
    incidents bigint[] not null,
    at timestamptz not null
);
comment on table words_pending is 'Who is asked for several open incidents wrote one word: they have been asked which one, in this order.';
