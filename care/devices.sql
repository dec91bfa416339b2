-- name: end_certificates
-- Whatever certificates a device holds: the broker hears of it by the register's bell.
update device_certificates set revoked = true, revoked_at = %(now)s where device = %(device)s and not revoked

-- name: add_certificate
insert into device_certificates (serial, device, issued_at, expires_at)
values (%(serial)s, %(device)s, %(now)s, %(expires_at)s)

-- name: certificates
-- The newest first. The names null: of all devices.
select device, serial, issued_at, expires_at, revoked, revoked_at from device_certificates
where %(devices)s::text[] is null or device = any(%(devices)s)
order by device, issued_at desc, serial
