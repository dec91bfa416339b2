-- name: whose
-- Everybody whom the register has under a number. Whoever lives there comes before somebody's contact, and a contact
-- before a responder: what a number is used for most urgently.
select 1 as place, people.home, people.name, 'resident' as role, people.language
from people where people.phone = %(number)s
union all
select 1, homes.id, null, 'resident', (select language from people where home = homes.id order by id limit 1)
from homes where homes.phone = %(number)s
  and not exists (select from people where home = homes.id and people.phone = %(number)s)
union all
select 2, contacts.home, contacts.name, contacts.role, contacts.language from contacts where contacts.phone = %(number)s
union all
select 3, null, responders.name, responders.role, responders.language
from responders where responders.phone = %(number)s
order by place, home, name
