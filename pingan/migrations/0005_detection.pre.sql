-- A watch's time, once more: what tells a repeated tick from that of a new source whose clock is behind.

alter table detection_partitions add column tick_ms bigint not null default 0;
comment on column detection_partitions.tick_ms is 'The last tick''s own time; behind at_ms where a new source''s clock is behind the old one''s.';
