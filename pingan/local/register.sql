-- name: devices
-- Whom the broker lets in. A disabled device loses its connection at the next reload.
select id, mqtt_password_hash from devices where enabled and mqtt_password_hash is not null

-- name: anybody
-- A register with any device in it is real: the sample is never mixed into it.
select exists (select from devices)
