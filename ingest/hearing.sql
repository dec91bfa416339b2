-- name: begin
-- From its first moment a lane is expected to hear.
insert into hearing (lane, heard_at) values (%(lane)s, %(now)s) on conflict do nothing

-- name: hears
insert into hearing (lane, heard_at) values (%(lane)s, %(now)s)
on conflict (lane) do update set heard_at = excluded.heard_at
