-- The rows: one a record. Fixed-width columns come first, so that none is padded.
--
-- `ts` is the time that a row is filed under: `ts_event`, or `ts_recv` where the venue's clock is more than a day off ours. So no clock but
-- ours decides which part of the table a row goes to and when it is dropped. `ts_event_ns` and `ts_recv_ns` are exact; a timestamptz
-- holds whole microseconds.
--
-- No index: chunks and the columnstore, sorted by time and split by instrument, are what a query needs.

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
) WITH (tsdb.hypertable, tsdb.partition_column='ts', tsdb.chunk_interval='1 hour', tsdb.segmentby='venue,instrument',
      tsdb.orderby='ts,position', tsdb.create_default_indexes=false);
CALL remove_columnstore_policy('trades', if_exists => true);
CALL add_columnstore_policy('trades', after => interval '2 hours', schedule_interval => interval '5 minutes');

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
) WITH (tsdb.hypertable, tsdb.partition_column='ts', tsdb.chunk_interval='1 hour', tsdb.segmentby='venue,instrument',
      tsdb.orderby='ts,position', tsdb.create_default_indexes=false);
CALL remove_columnstore_policy('quotes', if_exists => true);
CALL add_columnstore_policy('quotes', after => interval '2 hours', schedule_interval => interval '5 minutes');

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
) WITH (tsdb.hypertable, tsdb.partition_column='ts', tsdb.chunk_interval='1 hour', tsdb.segmentby='venue,instrument',
      tsdb.orderby='ts,position', tsdb.create_default_indexes=false);
CALL remove_columnstore_policy('book_levels', if_exists => true);
CALL add_columnstore_policy('book_levels', after => interval '2 hours', schedule_interval => interval '5 minutes');

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
) WITH (tsdb.hypertable, tsdb.partition_column='ts', tsdb.chunk_interval='1 hour', tsdb.segmentby='venue,instrument',
      tsdb.orderby='ts,position', tsdb.create_default_indexes=false);
CALL remove_columnstore_policy('status_events', if_exists => true);
CALL add_columnstore_policy('status_events', after => interval '2 hours', schedule_interval => interval '5 minutes');

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
) WITH (tsdb.hypertable, tsdb.partition_column='ts', tsdb.chunk_interval='1 day', tsdb.segmentby='venue,instrument',
      tsdb.orderby='ts,position', tsdb.create_default_indexes=false);
CALL remove_columnstore_policy('orders', if_exists => true);
CALL add_columnstore_policy('orders', after => interval '2 days', schedule_interval => interval '1 hour');

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
) WITH (tsdb.hypertable, tsdb.partition_column='ts', tsdb.chunk_interval='1 day', tsdb.segmentby='venue,instrument',
      tsdb.orderby='ts,position', tsdb.create_default_indexes=false);
CALL remove_columnstore_policy('fills', if_exists => true);
CALL add_columnstore_policy('fills', after => interval '2 days', schedule_interval => interval '1 hour');

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
) WITH (tsdb.hypertable, tsdb.partition_column='ts', tsdb.chunk_interval='1 day', tsdb.segmentby='venue,instrument',
      tsdb.orderby='ts,position', tsdb.create_default_indexes=false);
CALL remove_columnstore_policy('signals', if_exists => true);
CALL add_columnstore_policy('signals', after => interval '2 days', schedule_interval => interval '1 hour');
