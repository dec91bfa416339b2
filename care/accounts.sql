-- name: account
-- Everything that signing in looks at.
select id, name, role, area, language, password_hash, enabled from accounts where id = %(id)s

-- name: accounts
-- For the list: never the hashes.
select id, name, role, area, language, enabled from accounts order by id

-- name: add_account
insert into accounts (id, name, role, area, language, password_hash)
values (%(id)s, %(name)s, %(role)s, %(area)s, %(language)s, %(password_hash)s)
on conflict (id) do nothing

-- name: set_password
update accounts set password_hash = %(password_hash)s where id = %(id)s

-- name: rehash_password
-- Only where the password is still the one that was verified: it may have been changed in between.
update accounts set password_hash = %(password_hash)s where id = %(id)s and password_hash = %(verified)s

-- name: enable_account
update accounts set enabled = %(enabled)s where id = %(id)s

-- name: end_sessions
-- A new password, or an account that is closed, ends what was signed in with the old one.
delete from sessions where account = %(id)s

-- name: forget_failures
-- Keeps the table at what the machine can verify in a minute.
delete from sign_in_failures where at <= %(before)s

-- name: lock_attempts
-- Attempts of one account queue here for the moment of counting: fifty at once are not fifty first ones.
select pg_advisory_xact_lock(hashtextextended('sign-in ' || %(account)s, 0))

-- name: count_failures
select count(*) as count from sign_in_failures where account = %(account)s and at > %(since)s

-- name: add_failure
-- Written before the password is looked at; taken back when it was right.
insert into sign_in_failures (account, at) values (%(account)s, %(at)s)

-- name: clear_failures
delete from sign_in_failures where account = %(account)s

-- name: add_session
-- Only while the account is what was verified: closed or given a new password in between, there is no session.
insert into sessions (token_hash, account, created_at, expires_at)
select %(token_hash)s, id, %(now)s, %(expires_at)s from accounts
where id = %(account)s and enabled and password_hash = %(verified)s
for share

-- name: end_session
delete from sessions where token_hash = %(token_hash)s

-- name: forget_sessions
delete from sessions where expires_at <= %(now)s

-- name: whose_session
select a.id, a.name, a.role, a.area, a.language from sessions s join accounts a on a.id = s.account
where s.token_hash = %(token_hash)s and s.expires_at > %(now)s and a.enabled

-- name: add_token
insert into tokens (token_hash, name, role, area, created_at)
values (%(token_hash)s, %(name)s, %(role)s, %(area)s, %(now)s)
on conflict (name) do nothing

-- name: end_token
delete from tokens where name = %(name)s

-- name: whose_token
select name, role, area from tokens where token_hash = %(token_hash)s
