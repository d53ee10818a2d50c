-- The rows: one a record. Fixed-width columns come first, so that none is padded.
--
-- `ts` is the time that a row is filed under: `ts_event`, or `ts_recv` where the venue's clock is more than a day off ours. So no clock but
-- ours decides which part of the table a row goes to and when it is dropped. `ts_event_ns` and `ts_recv_ns` are exact; a timestamptz
-- holds whole microseconds.
--
-- No index but a BRIN on `ts`: a time range is all that is ever sought in so many rows, and it costs next to nothing. A btree would cost
-- three to four times the ingest.

-- Trades; the side is the aggressor's.
CREATE TABLE trades (
  ts timestamptz NOT NULL,
  ts_event timestamptz NOT NULL,
  ts_recv timestamptz NOT NULL,
  ts_event_ns bigint NOT NULL,
  ts_recv_ns bigint NOT NULL,
  position bigint NOT NULL,
  sequence bigint NOT NULL,
  run int NOT NULL,
  instrument int,
  venue smallint NOT NULL,
  flags smallint NOT NULL,
  side smallint,
  price numeric,
  size numeric
) PARTITION BY RANGE (ts);
CREATE INDEX trades_ts ON trades USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);

-- The best bid and offer: a row a side.
CREATE TABLE quotes (
  ts timestamptz NOT NULL,
  ts_event timestamptz NOT NULL,
  ts_recv timestamptz NOT NULL,
  ts_event_ns bigint NOT NULL,
  ts_recv_ns bigint NOT NULL,
  position bigint NOT NULL,
  sequence bigint NOT NULL,
  run int NOT NULL,
  instrument int,
  venue smallint NOT NULL,
  flags smallint NOT NULL,
  side smallint,
  price numeric,
  size numeric
) PARTITION BY RANGE (ts);
CREATE INDEX quotes_ts ON quotes USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);

-- Book levels: kind 3 sets a level (size 0 removes it), kind 4 empties the book.
CREATE TABLE book_levels (
  ts timestamptz NOT NULL,
  ts_event timestamptz NOT NULL,
  ts_recv timestamptz NOT NULL,
  ts_event_ns bigint NOT NULL,
  ts_recv_ns bigint NOT NULL,
  position bigint NOT NULL,
  sequence bigint NOT NULL,
  run int NOT NULL,
  instrument int,
  venue smallint NOT NULL,
  flags smallint NOT NULL,
  kind smallint NOT NULL,
  side smallint,
  price numeric,
  size numeric
) PARTITION BY RANGE (ts);
CREATE INDEX book_levels_ts ON book_levels USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);

-- Status, gaps, heartbeats, and records of a kind that the writer does not know.
CREATE TABLE status_events (
  ts timestamptz NOT NULL,
  ts_event timestamptz NOT NULL,
  ts_recv timestamptz NOT NULL,
  ts_event_ns bigint NOT NULL,
  ts_recv_ns bigint NOT NULL,
  position bigint NOT NULL,
  sequence bigint NOT NULL,
  run int NOT NULL,
  instrument int,
  venue smallint NOT NULL,
  flags smallint NOT NULL,
  kind smallint NOT NULL,
  code smallint NOT NULL,
  argument1 bigint,
  argument2 bigint
) PARTITION BY RANGE (ts);
CREATE INDEX status_events_ts ON status_events USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);

-- Orders submitted, accepted, rejected, cancelled, and refused by the risk gate.
CREATE TABLE orders (
  ts timestamptz NOT NULL,
  ts_event timestamptz NOT NULL,
  ts_recv timestamptz NOT NULL,
  ts_event_ns bigint NOT NULL,
  ts_recv_ns bigint NOT NULL,
  position bigint NOT NULL,
  sequence bigint NOT NULL,
  run int NOT NULL,
  instrument int,
  venue smallint NOT NULL,
  flags smallint NOT NULL,
  kind smallint NOT NULL,
  side smallint,
  price numeric,
  size numeric
) PARTITION BY RANGE (ts);
CREATE INDEX orders_ts ON orders USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);

-- Fills.
CREATE TABLE fills (
  ts timestamptz NOT NULL,
  ts_event timestamptz NOT NULL,
  ts_recv timestamptz NOT NULL,
  ts_event_ns bigint NOT NULL,
  ts_recv_ns bigint NOT NULL,
  position bigint NOT NULL,
  sequence bigint NOT NULL,
  run int NOT NULL,
  instrument int,
  venue smallint NOT NULL,
  flags smallint NOT NULL,
  side smallint,
  price numeric,
  size numeric
) PARTITION BY RANGE (ts);
CREATE INDEX fills_ts ON fills USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);

-- Signals of strategies.
CREATE TABLE signals (
  ts timestamptz NOT NULL,
  ts_event timestamptz NOT NULL,
  ts_recv timestamptz NOT NULL,
  ts_event_ns bigint NOT NULL,
  ts_recv_ns bigint NOT NULL,
  position bigint NOT NULL,
  sequence bigint NOT NULL,
  run int NOT NULL,
  instrument int,
  venue smallint NOT NULL,
  flags smallint NOT NULL,
  side smallint,
  price numeric,
  size numeric
) PARTITION BY RANGE (ts);
CREATE INDEX signals_ts ON signals USING brin (ts) WITH (pages_per_range = 32, autosummarize = on);

-- The partition of a day, made where it is missing. It is made beside the table and attached, which, unlike CREATE … PARTITION OF, does
-- not wait for people who read the table. There is no default partition: it would have to be searched whenever one is attached.
CREATE FUNCTION ensure_partition(parent text, days_since_1970 int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  day date := date '1970-01-01' + days_since_1970;
  part text := parent || to_char(day, '_YYYYMMDD');
BEGIN
  IF EXISTS (SELECT FROM pg_inherits WHERE inhparent = to_regclass(parent) AND inhrelid = to_regclass(part)) THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', part, parent);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
                 day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
END $$;

-- Drops the partitions of days that ended so many days ago; says how many. Partitions that somebody else attached have other names, and stay.
CREATE FUNCTION drop_old_partitions(parent text, retention_days int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  part record;
  dropped int := 0;
BEGIN
  FOR part IN SELECT c.oid::regclass AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = to_regclass(parent) AND c.relname ~ ('^' || parent || '_[0-9]{8}$')
                 AND right(c.relname, 8) < to_char((now() AT TIME ZONE 'UTC')::date - retention_days, 'YYYYMMDD') LOOP
    EXECUTE format('DROP TABLE %s', part.name);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $$;
