-- name: devices
-- Whom the broker lets in. A disabled device loses its connection at the next reload.
select id, mqtt_password_hash from devices where enabled and mqtt_password_hash is not null

-- name: anybody
-- A register with any device in it is real: the sample is never mixed into it.
select exists (select from devices)

-- name: refused_certificates
-- Whom the broker refuses though its certificate is one of ours: serial → device. One that has run out needs no list.
select c.serial, c.device from device_certificates c left join devices d on d.id = c.device
where (c.revoked or d.id is null or not d.enabled) and c.expires_at > %(now)s

-- name: first_to_expire
-- Of the certificates in use. One that has run out stays here until its device has another.
select min(c.expires_at) as expires_at from device_certificates c join devices d on d.id = c.device
where d.enabled and not c.revoked
