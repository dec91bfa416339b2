-- name: ask
-- "On conflict do nothing" is the promise that nobody is contacted twice for one step.
insert into sends (incident, step, purpose, channel, recipient, name, address, language, body, due_at, deadline_at)
values (%(incident)s, %(step)s, %(purpose)s, %(channel)s, %(recipient)s, %(name)s, %(address)s, %(language)s, %(body)s,
        %(due_at)s, %(deadline_at)s)
on conflict do nothing

-- name: withdraw
-- Notifications do not go on after the answer.
update sends set state = 'withdrawn', finished_at = %(now)s
where incident = %(incident)s and purpose = 'help' and state = 'waiting'
returning channel

-- name: told_last
-- What each was told of a call for help last, by each channel; what was never sent was told to nobody.
select distinct on (recipient, channel) recipient, channel, body from sends
where incident = %(incident)s and purpose = 'family' and state not in ('withdrawn', 'abandoned')
order by recipient, channel, step desc, repeat desc

-- name: heard_of
-- Whoever has heard, or may have, that a home calls for help.
select distinct recipient from sends
where incident = %(incident)s and purpose in ('help', 'family') and coalesce(body->>'home', %(home)s) = %(home)s
  and body->>'news' is distinct from 'not_theirs' and state not in ('waiting', 'withdrawn', 'abandoned', 'failed')

-- name: overtaken
-- News that still waits when there is newer: whoever hears it late hears only how it is.
update sends set state = 'withdrawn', finished_at = %(now)s
where incident = %(incident)s and purpose = 'family' and state = 'waiting' and step < %(version)s
  and channel || ' ' || recipient <> all(%(kept)s::text[])

-- name: claim
-- "About to send" is recorded before the request, so that nothing is sent twice without our knowing. One attempt at a
-- time for each number: what is unclear is looked up by number and time, and must not be taken for somebody else's.
update sends set state = 'dialling', dialled_at = %(now)s, worker = %(worker)s
where id in (
    select sends.id from sends left join incidents on incidents.id = sends.incident
    where sends.state = 'waiting' and sends.due_at <= %(now)s and sends.channel = any(%(channels)s)
      and (%(late)s::boolean is null or (sends.deadline_at <= %(now)s) = %(late)s)
      and not exists (
          select from sends other left join incidents theirs on theirs.id = other.incident
          where other.channel = sends.channel and other.address = sends.address and other.purpose = 'help'
            and other.id <> sends.id and sends.purpose = 'help'
            and (other.state = 'dialling'
                 or other.state = 'waiting' and other.due_at <= %(now)s
                    and (send_rank(other.purpose, theirs.danger, theirs.cause), other.due_at, other.id)
                        < (send_rank(sends.purpose, incidents.danger, incidents.cause), sends.due_at, sends.id))
      )
    order by send_rank(sends.purpose, incidents.danger, incidents.cause), sends.due_at, sends.id
    for update of sends skip locked limit %(limit)s
)
returning *

-- name: turn
-- Whoever may place the next call, of however many processes: the row is theirs until they commit.
select next_at from send_turns where channel = %(channel)s for update

-- name: turned
insert into send_turns (channel, next_at) values (%(channel)s, %(next_at)s)
on conflict (channel) do update set next_at = excluded.next_at

-- name: settle
-- The end of one attempt, if it is still the one that we made. An id by which a lookup has come to know another send
-- stays with that one: what became of this one is worth more than whose call it was.
update sends set state = %(state)s, result = %(result)s,
    provider_id = coalesce((select %(provider_id)s::text where not exists (
        select from sends known where known.provider_id = %(provider_id)s and known.id <> %(send)s)), provider_id),
    due_at = coalesce(%(due_at)s, due_at), finished_at = %(finished_at)s
where id = %(send)s and state = 'dialling'

-- name: hold
-- An answer that is being recorded at this moment is waited for, and none comes between from here to the commit.
select from incidents where id = (select incident from sends where id = %(send)s) for share

-- name: again
-- It was certainly not sent. Whoever is not awaited any more, since somebody has answered, is left in peace: the answer
-- withdrew what waited, and this was just being tried. Nor is a stage told behind a newer one.
update sends set result = %(result)s, due_at = %(due_at)s, tries = tries + 1,
    state = case when asking.still then 'waiting' else 'withdrawn' end,
    finished_at = case when not asking.still then %(now)s::timestamptz end
from (select case purpose
          when 'help' then exists (
              select from incidents
              where incidents.id = sends.incident and (incidents.body->>'calling')::boolean
                and (incidents.body->>'step')::integer = sends.step and incidents.body->'awaited' ? sends.recipient)
          when 'family' then not exists (
              select from sends newer
              where newer.incident = sends.incident and newer.purpose = 'family' and newer.step > sends.step
                and newer.recipient = sends.recipient and newer.channel = sends.channel)
          else true end as still from sends where id = %(send)s) as asking
where id = %(send)s and state = 'dialling'
returning state

-- name: unclear
-- Attempts whose outcome nobody recorded: their worker died, was stopped, or got no clear answer; or the clock was put
-- back, and they have begun in the future.
select sends.* from sends left join incidents on incidents.id = sends.incident
where sends.state = 'dialling'
  and (split_part(sends.worker, '#', 1) = %(name)s and sends.worker <> %(worker)s and sends.dialled_at < %(before)s
       or sends.dialled_at < %(long_before)s or sends.dialled_at > %(ahead)s)
order by coalesce(incidents.danger, false) desc, sends.id limit 20

-- name: still_unclear
-- The same attempt, if it has not become clear since; from here to the commit nobody else concludes it.
select coalesce(incidents.danger, false) as danger,
       coalesce((incidents.body->>'calling')::boolean and (incidents.body->>'step')::integer = sends.step
                and incidents.body->'awaited' ? sends.recipient, false) as asking
from sends left join incidents on incidents.id = sends.incident
where sends.id = %(send)s and sends.state = 'dialling' and sends.dialled_at = %(dialled_at)s
for update of sends

-- name: repeat
-- A declared repeat: the one exception to "nobody is contacted twice for one step", and it says so.
insert into sends (incident, errand, step, repeat, purpose, channel, recipient, name, address, language, body, due_at, deadline_at)
select incident, errand, step, repeat + 1, purpose, channel, recipient, name, address, language, body, %(now)s, deadline_at
from sends where id = %(send)s
on conflict do nothing

-- name: unknown
-- Of these ids of the provider, in their order, those that belong to no send that we know of. None where another send to
-- the same number has no id either, and is under way or was given up lately: each of these may be that one's, which a
-- provider that hangs places late, and whoever is asked to come is rather asked twice. Where there are more such ids than
-- such sends, one is ours. A send and its declared repeat are one.
with unknown as (
    select given.id, given.number from unnest(%(ids)s::text[]) with ordinality given(id, number)
    where not exists (select from sends where provider_id = given.id)
), others as (
    select from sends other join sends asked using (channel, address)
    where asked.id = %(send)s and other.provider_id is null
      and (other.incident, other.purpose, other.step, other.recipient)
          is distinct from (asked.incident, asked.purpose, asked.step, asked.recipient)
      and (other.state = 'dialling'
           or other.state = 'unclear' and other.finished_at > asked.dialled_at - %(lately)s * interval '1 second')
)
select id from unknown where (select count(*) from unknown) > (select count(*) from others) order by number

-- name: soonest
select min(due_at) as at from sends where state = 'waiting'

-- name: by_id
select sends.*, incidents.state as incident_state from sends left join incidents on incidents.id = sends.incident
where sends.id = %(send)s

-- name: progress
-- What the provider says later of a send. A late word never goes behind a final one; an id that a lookup has given to
-- another send stays there.
update sends set state = %(state)s, result = %(result)s,
    provider_id = coalesce(provider_id, (select %(provider_id)s::text where not exists (
        select from sends known where known.provider_id = %(provider_id)s and known.id <> %(send)s))),
    finished_at = case when %(state)s = any(%(final)s) then %(now)s::timestamptz end
where id = %(send)s and state <> all(%(final)s)
returning incident, errand, recipient, purpose
