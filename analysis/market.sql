-- Views and macros over an archive that `tickpath export` wrote; docs/archive.md lists its columns.
--
--   SET VARIABLE archive = '/srv/tickpath/archive';   -- first
--   .read analysis/market.sql
--   FROM ohlcv('BTC/USD', INTERVAL 1 MINUTE);
--
--   .read analysis/trading.sql                          -- of an archive that has orders, fills and signals
--
-- Symbols are spelt as the venue does; the argument of_symbol is a pattern of LIKE, so '%' is every one. Times are UTC. `date` (the UTC day of
-- ts_recv) and `venue` are the folders' names: a condition on them skips whole files, one on `symbol` or `ts_recv` skips row groups.
-- Needs DuckDB 2.0: older ones cut ts_event, ts_recv and published to microseconds.

SET TimeZone = 'UTC';

CREATE OR REPLACE VIEW trades AS
FROM read_parquet(getvariable('archive') || '/trades/venue=*/date=*/part-*.parquet', hive_partitioning = true);

CREATE OR REPLACE VIEW quotes AS
FROM read_parquet(getvariable('archive') || '/quotes/venue=*/date=*/part-*.parquet', hive_partitioning = true);

CREATE OR REPLACE VIEW book_levels AS
FROM read_parquet(getvariable('archive') || '/book_levels/venue=*/date=*/part-*.parquet', hive_partitioning = true);

CREATE OR REPLACE VIEW status AS
FROM read_parquet(getvariable('archive') || '/status/venue=*/date=*/part-*.parquet', hive_partitioning = true);

-- Start of the interval that a time lies in, counted from 1970-01-01; the interval has no months.
CREATE OR REPLACE MACRO bucket_of(ts, width) AS
  make_timestamp_ns(epoch_ns(ts) - epoch_ns(ts) % CAST(epoch(width) * 1000000000 AS BIGINT));

-- Open, high, low, close and volume of trades. First and last are those that arrived first and last.
CREATE OR REPLACE MACRO ohlcv(of_symbol, width) AS TABLE
SELECT
  bucket_of(ts_event, width) AS bucket, venue, symbol,
  arg_min(price, journal_index) AS open, max(price) AS high, min(price) AS low, arg_max(price, journal_index) AS close,
  sum(size) AS volume, count(*) AS trades
FROM trades
WHERE symbol LIKE of_symbol AND NOT snapshot
GROUP BY ALL
ORDER BY venue, symbol, bucket;

-- Volume-weighted average price.
CREATE OR REPLACE MACRO vwap(of_symbol, width) AS TABLE
SELECT bucket_of(ts_event, width) AS bucket, venue, symbol, sum(price * size) / nullif(sum(size), 0) AS vwap, sum(size) AS volume
FROM trades
WHERE symbol LIKE of_symbol AND NOT snapshot
GROUP BY ALL
ORDER BY venue, symbol, bucket;

-- Best bid and offer: a quote is a bid record and then an ask record, the latter flagged `last`. The ts_event of a quote without event time repeats ts_recv.
CREATE OR REPLACE MACRO spread(of_symbol) AS TABLE
SELECT
  ts_event, ts_recv, venue, symbol, bid, bid_size, ask, ask_size, derived, untrusted,
  ask - bid AS spread, (ask + bid) / 2 AS mid, 20000 * (ask - bid) / (ask + bid) AS spread_bps
FROM (
  SELECT
    ts_event, ts_recv, venue, symbol, side, last, derived, untrusted, journal_index, price AS ask, size AS ask_size,
    lag(price) OVER one AS bid, lag(size) OVER one AS bid_size, lag(side) OVER one AS side_before
  FROM quotes
  WHERE symbol LIKE of_symbol
  WINDOW one AS (PARTITION BY venue, symbol ORDER BY journal_index)
)
WHERE side = 'ask' AND last AND side_before = 'bid'
ORDER BY venue, symbol, journal_index;

-- The book of one symbol as it was known here at a time, best level first: all changes since the last image began. `at_time` is of any timestamp type.
-- Where `untrusted` is true, the newest change was not proven in sync with the venue.
CREATE OR REPLACE MACRO book(of_venue, of_symbol, at_time, depth) AS TABLE
WITH changes AS (
  SELECT kind, side, price_mantissa, price, size, size_mantissa, untrusted, journal_index
  FROM book_levels
  WHERE venue = of_venue AND symbol = of_symbol AND ts_recv <= CAST(at_time AS TIMESTAMPTZ_NS) AND date <= CAST(make_timestamp_ns(epoch_ns(CAST(at_time AS TIMESTAMPTZ_NS))) AS DATE)
), image AS (
  SELECT coalesce(max(journal_index), 0) AS begins FROM changes WHERE kind = 'book_clear'
), levels AS (
  SELECT side, price_mantissa, arg_max(price, journal_index) AS price, arg_max(size, journal_index) AS size,
         arg_max(size_mantissa, journal_index) AS size_mantissa, arg_max(untrusted, journal_index) AS untrusted
  FROM changes, image
  WHERE kind = 'book_level' AND journal_index >= begins
  GROUP BY side, price_mantissa
)
SELECT
  side, level, price, size,
  sum(size) OVER (PARTITION BY side ORDER BY level) AS depth_size,
  untrusted
FROM (
  SELECT *, row_number() OVER (PARTITION BY side ORDER BY CASE side WHEN 'bid' THEN -price_mantissa ELSE price_mantissa END) AS level
  FROM levels
  WHERE size_mantissa > 0
)
WHERE level <= depth
ORDER BY side DESC, level;

-- Bought less sold, over both: 1 where every aggressor bought, -1 where every one sold. Trades whose side the venue does not say are left out.
CREATE OR REPLACE MACRO trade_imbalance(of_symbol, width) AS TABLE
SELECT
  bucket_of(ts_event, width) AS bucket, venue, symbol,
  coalesce(sum(size) FILTER (side = 'buy'), 0) AS bought, coalesce(sum(size) FILTER (side = 'sell'), 0) AS sold,
  (bought - sold) / nullif(bought + sold, 0) AS imbalance
FROM trades
WHERE symbol LIKE of_symbol AND side IS NOT NULL AND NOT snapshot
GROUP BY ALL
ORDER BY venue, symbol, bucket;

-- What is missing, and why. `length` is a number of records or venue messages, NULL where nobody knows it.
CREATE OR REPLACE MACRO gaps() AS TABLE
SELECT
  ts_event AS opened, ts_recv AS noticed, venue, symbol, cause,
  argument_1 AS first_missing, argument_2 AS last_missing, argument_2 - argument_1 + 1 AS length, journal_index
FROM status
WHERE kind = 'gap'
ORDER BY journal_index;

-- Latency percentiles in microseconds: from the venue's clock to ours, and from the frame's arrival to the relay's publication. Images are left out, and
-- from the first hop what has no event time. Percentiles are approximate (t-digest). The first hop contains the difference of the two clocks.
CREATE OR REPLACE MACRO latency() AS TABLE
WITH hops AS (
  SELECT venue, no_event_time, epoch_ns(ts_event) AS event, epoch_ns(ts_recv) AS recv, epoch_ns(published) AS published FROM trades WHERE NOT snapshot AND NOT derived
  UNION ALL
  SELECT venue, no_event_time, epoch_ns(ts_event), epoch_ns(ts_recv), epoch_ns(published) FROM quotes WHERE NOT snapshot AND NOT derived
  UNION ALL
  SELECT venue, no_event_time, epoch_ns(ts_event), epoch_ns(ts_recv), epoch_ns(published) FROM book_levels WHERE NOT snapshot AND NOT derived
), spans AS (
  SELECT venue, 'event to receive' AS hop, recv - event AS ns FROM hops WHERE NOT no_event_time
  UNION ALL
  SELECT venue, 'receive to publish', published - recv FROM hops
)
SELECT
  venue, hop, count(*) AS records,
  approx_quantile(ns, 0.5) / 1e3 AS p50_us, approx_quantile(ns, 0.9) / 1e3 AS p90_us,
  approx_quantile(ns, 0.99) / 1e3 AS p99_us, approx_quantile(ns, 0.999) / 1e3 AS p99_9_us, max(ns) / 1e3 AS max_us
FROM spans
GROUP BY venue, hop
ORDER BY venue, hop;
