-- name: turn
-- One process at a time begins tests, however many run: until its transaction ends.
select pg_try_advisory_xact_lock(hashtext('dispatch reaching')) as mine

-- name: calm
-- Tests wait while anybody is being called for help, or anything else waits for the telephone; and while a provider is
-- down, or does not do what it is asked: its silence would be taken for people's, and who else carries calls is needed.
select not exists (
           select from incidents where wake_at is not null and danger and not test and (body->>'calling')::boolean
       ) and not exists (
           select from sends
           where state in ('waiting', 'dialling') and due_at <= %(now)s and incident is not null and channel <> 'device'
       ) and not exists (
           select from providers_down where channel in ('twilio_voice', 'twilio_sms') and seen_at > %(said)s
       ) and (
           select count(*) from sends
           where state in ('failed', 'unclear', 'abandoned') and channel in ('twilio_voice', 'twilio_sms')
             and finished_at > %(lately)s
       ) < %(failures)s as calm

-- name: telephones
select count(distinct phone) as telephones,
       (select count(distinct address) from sends
        where errand is not null and purpose = 'test' and due_at >= %(midnight)s and due_at <= %(now)s) as begun
from reachable_people

-- name: people
-- Everybody who may be called, with what is known of their telephone. What was answered by a key or a word, whatever it
-- was about, says that somebody is reached there. A text message that was delivered says nothing of a person.
select people.id, "group", name, role, phone, language, area, home, rank, people.quiet,
       absent or exists (
           select from responder_absences where responder = people.id and absent_from <= %(now)s
             and (absent_until is null or absent_until > %(now)s)
       ) as absent,
       %(now)s::timestamptz at time zone coalesce(timezone, %(zone)s) as local,
       reached.finished_at as reached_at, reached.channel as reached_by, wrong.finished_at as wrong_at,
       tests.tested_at, tests.tried_at, coalesce(tests.under_way, false) as under_way,
       exists (select from desk_tasks where kind = 'bad_number' and subject = people.id and done_at is null) as bad
from reachable_people people
left join lateral (
    select finished_at, channel from sends
    where address = people.phone and state = 'answered' and starts_with(result, 'key_') and result <> 'key_stranger'
    order by id desc limit 1
) reached on true
left join lateral (
    select finished_at from sends where address = people.phone and result = 'key_stranger' order by id desc limit 1
) wrong on true
left join lateral (
    select max(due_at) filter (where channel = 'twilio_voice' and state in ('answered', 'unanswered')) as tested_at,
           max(due_at) as tried_at,
           bool_or(case when channel = 'twilio_sms' then state in ('waiting', 'dialling', 'sent', 'delivered') and due_at > %(texts)s
                        else state in ('waiting', 'dialling', 'sent') and due_at > %(calls)s end) as under_way
    from sends where address = people.phone and purpose = 'test'
) tests on true
where (%(area)s::text is null or starts_with(area, %(area)s))
  and (%(home)s::text is null or home = %(home)s)
  and (%(person)s::text is null or people.id = %(person)s)
  and (not %(amiss)s or wrong.finished_at is not null
       or tests.tested_at is not null and coalesce(reached.finished_at < tests.tested_at, true)
       or exists (select from desk_tasks where kind = 'unreachable' and subject = people.id and done_at is null))
order by people.id

-- name: due
-- Whose turn it may be, of thousands: the rest is decided by rules. Who shares a telephone stands together.
select people.id, "group", name, role, phone, language, area, home, rank, people.quiet,
       absent or exists (
           select from responder_absences where responder = people.id and absent_from <= %(now)s
             and (absent_until is null or absent_until > %(now)s)
       ) as absent,
       %(now)s::timestamptz at time zone coalesce(timezone, %(zone)s) as local,
       tests.tested_at, tests.tried_at, coalesce(tests.under_way, false) as under_way
from reachable_people people
left join lateral (
    select max(due_at) filter (where channel = 'twilio_voice' and state in ('answered', 'unanswered')) as tested_at,
           max(due_at) as tried_at,
           bool_or(state in ('waiting', 'dialling', 'sent') and due_at > %(calls)s) as under_way
    from sends where address = people.phone and purpose = 'test'
) tests on true
where (tests.tested_at is null or tests.tested_at <= %(tested)s) and (tests.tried_at is null or tests.tried_at <= %(tried)s)
order by tests.tested_at nulls first, tests.tried_at nulls first, phone, people.id
limit %(limit)s

-- name: homes
-- Where people live: those who are asked for them, or nobody.
select homes.id, homes.address, string_agg(people.name, '、' order by people.id) as person
from homes join people on people.home = homes.id
where %(area)s::text is null or starts_with(homes.area, %(area)s)
group by homes.id, homes.address

-- name: no_key
-- Calls of today at which nobody pressed a key, and that no text message has followed yet.
select errand, recipient, name, address, language from sends call
where purpose = 'test' and channel = 'twilio_voice' and state = 'unanswered' and due_at > %(since)s
  and not exists (select from sends text
                  where text.errand = call.errand and text.recipient = call.recipient and text.channel = 'twilio_sms')
order by id limit %(limit)s

-- name: end_tasks
-- What was found of a number that is no more theirs is no work any more.
update desk_tasks set done_at = %(now)s, done_by = %(by)s, note = 'number_changed'
from reachable_people people
where people.id = subject and done_at is null and kind in ('bad_number', 'wrong_number', 'unreachable')
  and detail->>'phone' is not null and detail->>'phone' <> people.phone

-- name: end_unreachable
update desk_tasks set done_at = %(now)s, done_by = %(by)s, note = 'reached'
where kind = 'unreachable' and done_at is null and subject = any(%(reached)s::text[])
