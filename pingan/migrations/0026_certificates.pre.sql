-- Certificates of devices, from our own authority: which there are, and which are refused.

create table device_certificates (
    serial text primary key,
    device text not null,
    issued_at timestamptz not null,
    expires_at timestamptz not null,
    revoked boolean not null default false,
    revoked_at timestamptz
);
create index device_certificates_by_device on device_certificates (device);
comment on table device_certificates is 'What our authority has issued. The broker refuses those that are revoked, and those of a device that is disabled or gone.';
comment on column device_certificates.serial is 'Hexadecimal, without leading zeros.';
comment on column device_certificates.revoked_at is 'Null where the device was removed from the register: nobody said when.';
create trigger device_certificates_changed after insert or update or delete on device_certificates for each statement execute function register_changed();

-- Another device may bear the name one day; what the first one held must not let it in.
create function device_gone() returns trigger language plpgsql as $$
begin
    update device_certificates set revoked = true where device = old.id and not revoked;
    return null;
end $$;
create trigger devices_gone after delete on devices for each row execute function device_gone();
