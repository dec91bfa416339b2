-- name: send
-- What is sent for no incident. Its unique key is the promise that nobody gets it twice for one errand.
insert into sends (errand, step, purpose, channel, recipient, name, address, language, body, due_at, deadline_at)
values (%(errand)s, %(step)s, %(purpose)s, %(channel)s, %(recipient)s, %(name)s, %(address)s, %(language)s, %(body)s,
        %(due_at)s, %(deadline_at)s)
on conflict do nothing
