-- Days, from the hours. A day is the centre's: its zone is an argument, and nothing is to be built anew when it changes.

create function vitals_daily(time_zone text, first_day date, last_day date)
returns table (day date, home text, device text, kind text, count bigint,
    min double precision, avg double precision, max double precision)
stable language sql as $$
    select (vitals.hour at time zone time_zone)::date, vitals.home, vitals.device, one.kind, sum(vitals.count)::bigint,
        min(one.lowest), sum(one.total) / sum(vitals.count), max(one.highest)
    from vitals_hourly vitals
    cross join lateral (values
        (case vitals.kind when 'blood_pressure' then 'systolic' else vitals.kind end,
            vitals.lowest, vitals.total, vitals.highest),
        ('diastolic', vitals.diastolic_lowest, vitals.diastolic_total, vitals.diastolic_highest)
    ) one(kind, lowest, total, highest)
    where vitals.hour >= first_day::timestamp at time zone time_zone
      and vitals.hour < (last_day + 1)::timestamp at time zone time_zone
      and (one.kind <> 'diastolic' or vitals.kind = 'blood_pressure')
    group by 1, 2, 3, 4
$$;
comment on function vitals_daily is 'What was measured on each day from the first to the last, in a time zone. A blood pressure is two rows, systolic and diastolic. An hour (UTC) belongs to the day in which it begins.';

create function responses_daily(time_zone text, first_day date, last_day date)
returns table (day date, cause text, danger boolean, incidents bigint,
    answered bigint, answered_within_15 bigint, answered_within_20 bigint, answered_within_60 bigint,
    answered_within_180 bigint, helper_first bigint,
    answer_seconds_p50 double precision, answer_seconds_p95 double precision,
    dispatch_seconds_p50 double precision, dispatch_seconds_p95 double precision,
    arrival_seconds_p50 double precision, arrival_seconds_p95 double precision)
stable language sql as $$
    select (opened_at at time zone time_zone)::date, cause, danger, count(*),
        count(answer), count(*) filter (where answer <= 15), count(*) filter (where answer <= 20),
        count(*) filter (where answer <= 60), count(*) filter (where answer <= 180),
        count(*) filter (where t5 < t3 or t3 is null and t5 is not null),
        percentile_cont(0.5) within group (order by answer), percentile_cont(0.95) within group (order by answer),
        percentile_cont(0.5) within group (order by dispatch), percentile_cont(0.95) within group (order by dispatch),
        percentile_cont(0.5) within group (order by arrival), percentile_cont(0.95) within group (order by arrival)
    from incidents
    cross join lateral (select
        extract(epoch from t3 - t1)::double precision as answer,
        extract(epoch from t5 - t3)::double precision as dispatch,
        extract(epoch from t7 - t5)::double precision as arrival
    ) took
    where opened_at >= first_day::timestamp at time zone time_zone
      and opened_at < (last_day + 1)::timestamp at time zone time_zone and not test
    group by 1, 2, 3
$$;
comment on function responses_daily is 'How the incidents that were opened on each day were answered, in a time zone, without tests: t3−t1 (a human answers), t5−t3 (a helper goes), t7−t5 (at the door). `helper_first`: a helper accepted before the desk answered.';
