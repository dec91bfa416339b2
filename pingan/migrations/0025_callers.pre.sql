-- Callers: whose is a number that rings us up or writes? Asked while somebody waits on the line.

create index homes_by_phone on homes (phone) where phone is not null;
create index people_by_phone on people (phone) where phone is not null;
create index contacts_by_phone on contacts (phone);
create index responders_by_phone on responders (phone);

comment on column incidents.device is 'What raised it: a device''s id; or tel: and a caller''s number, where the register knows of no home; or tel: and the call''s own id, where the number is withheld.';
