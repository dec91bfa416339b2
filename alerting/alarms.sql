-- name: insert
-- Its id is derived from what it is about: whoever raises it again, after a crash or a replay, changes nothing.
insert into alarms (id, kind, home, device, at, device_at, clock, received_at, raised_at, test, evidence)
values (%(id)s, %(kind)s, %(home)s, %(device)s, %(at)s, %(device_at)s, %(clock)s, %(received_at)s, %(raised_at)s,
        %(test)s, %(evidence)s)
on conflict do nothing
returning id
