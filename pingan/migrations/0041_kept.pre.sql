-- What is kept, and for how long: what the provider has told is forgotten in time, and an erasure reaches the policies too.
create index webhooks_heard_by_time on webhooks_heard (at);
create index words_pending_by_time on words_pending (at);

-- A version may lose what it says of somebody, for an erasure that is written down: their id in a rule, their name in the
-- reason. Which policies there are, who saved it and when never changes.
create or replace function policy_books_stay() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and (new.version, new.saved_at, new.saved_by, new.body->'policies')
            is not distinct from (old.version, old.saved_at, old.saved_by, old.body->'policies')
        and exists (select from erasures where id::text = new.body->>'erased' and finished_at is null) then
        return new;
    end if;
    raise exception 'a version of the policies is never changed';
end $$;

create function erase_policy_book(the_version integer, new_why text, new_body jsonb) returns void language sql as $$
    update policy_books set why = new_why, body = new_body where version = the_version
$$;
