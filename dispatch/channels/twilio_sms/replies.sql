-- name: asked
-- For each incident that this number was written or called for, the newest of it: open ones, and those closed lately.
-- Who was asked answers that; news of the stages asks nobody anything.
select distinct on (sends.incident) sends.*, incidents.state as incident_state, incidents.wake_at is not null as open
from sends join incidents on incidents.id = sends.incident
where sends.address = %(number)s and sends.purpose in ('help', 'change', 'family') and sends.dialled_at is not null
  and (incidents.wake_at is not null or incidents.t9 > %(lately)s)
order by sends.incident, sends.purpose = 'family', sends.id desc

-- name: tested
-- A test of text messages that this number has got lately.
select * from sends
where address = %(number)s and purpose = 'test' and channel = 'twilio_sms' and dialled_at > %(lately)s
order by id desc limit 1

-- name: reached
-- That it was delivered is the provider's word, and this is a person's.
update sends set state = 'answered', result = %(result)s, finished_at = %(now)s where id = %(send)s

-- name: read
-- Whoever writes back a plain answer is reached there: the newest of our messages, which were delivered at most.
update sends set state = 'answered', result = 'key_word', finished_at = %(now)s
where id = (select id from sends
            where address = %(number)s and channel = 'twilio_sms' and purpose <> 'test' and dialled_at > %(lately)s
            order by id desc limit 1)
  and state in ('sent', 'delivered')

-- name: pending
delete from words_pending where number = %(number)s returning text, incidents, at

-- name: ask_which
insert into words_pending (number, text, incidents, at) values (%(number)s, %(text)s, %(incidents)s, %(now)s)
on conflict (number) do update set text = excluded.text, incidents = excluded.incidents, at = excluded.at

-- name: rang
select from alarms where id = %(alarm)s
