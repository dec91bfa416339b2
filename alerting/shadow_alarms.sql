-- name: insert
-- As with alarms the id is derived: after a crash or a replay the same is found again, and changes nothing.
insert into shadow_alarms (id, home, detector, label, kind, rule, device, at, raised_at, restores, follows, evidence)
values (%(id)s, %(home)s, %(detector)s, %(label)s, %(kind)s, %(rule)s, %(device)s, %(at)s, %(raised_at)s, %(restores)s,
        %(follows)s, %(evidence)s)
on conflict do nothing
