-- What was closed last stands on every board.

create index incidents_by_end on incidents (t9);
