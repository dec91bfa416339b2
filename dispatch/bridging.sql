-- name: whom
-- The person's own telephone, else the home's; whoever goes there; and whether the desk is being rung for it already. Each
-- wish has ten steps: its fallbacks are steps of their own.
select incidents.home, people.name as person, coalesce(people.phone, homes.phone) as phone,
       (select jsonb_agg(jsonb_build_object('id', id, 'name', name, 'phone', phone)) from (
            select id, name, phone from contacts where contacts.home = incidents.home
            union all select id, name, phone from responders) known
        where known.id = incidents.body->'helper'->>'id') as people,
       coalesce((select language from accounts where id = %(operator)s), 'zh') as language,
       (select coalesce(max(step), 0) + 10 from sends where incident = incidents.id and purpose = 'bridge') as step,
       exists (select from sends where incident = incidents.id and purpose = 'bridge' and recipient = 'desk'
               and state in ('waiting', 'dialling', 'sent') and due_at > %(lately)s) as under_way
from incidents left join homes on homes.id = incidents.home
left join people on people.id = coalesce(incidents.person, (select min(id) from people where home = incidents.home))
where incidents.id = %(incident)s
