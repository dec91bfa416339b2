-- What a reading says, for the roll-ups of both dialects; and an index by which old samples are found.
-- Bodies are parsed here and now (`return`): TimescaleDB's jobs call them with an empty search path.

create function moves(kind text, value double precision, detail jsonb) returns boolean immutable parallel safe
return kind in ('door', 'contact', 'bed') or kind in ('motion', 'occupancy', 'vibration')
    and coalesce(value <> 0, detail not in ('false', '""', '{}', '[]'), false);
comment on function moves is 'Whether only somebody''s moving makes such a reading: as in the detector of inactivity, and a test holds the two equal.';

create function pressure(detail jsonb, side text) returns double precision immutable parallel safe
return case when jsonb_typeof(detail -> side) = 'number' then
    case when (detail -> side)::numeric between 0 and 1000 then (detail -> side)::double precision end end;
comment on function pressure is 'mmHg, of one side (systolic, diastolic); null where it is none.';

create function measure(kind text, value double precision, detail jsonb) returns double precision immutable parallel safe
return case when kind <> 'blood_pressure' then case when value between -1e9 and 1e9 then value end
    when pressure(detail, 'diastolic') is not null then pressure(detail, 'systolic') end;
comment on function measure is 'The number that was measured, of a blood pressure the systolic one; null where there is none. Beyond a thousand millions nothing is a vital sign, and a sum of such could overflow and take its whole hour with it.';

create index parked_by_time on parked (parked_at);
