-- Macros over what the engine did, as `market.sql` has them of the market: orders(), fills(), signals().
--
--   SET VARIABLE archive = '/srv/tickpath/archive';   -- first
--   .read analysis/trading.sql
--   FROM fills() WHERE strategy = 0;
--
-- A file of its own, because DuckDB makes no macro of a table that has no files yet.
--
-- Trading events, one row each: an event's first record, what a second one says (a stop's trigger, a fill's fee), and its reference, which follow in `sequence`.
-- What a record would say that is missing is NULL. `venue` is the execution venue, `symbol` the market's.

-- What became of orders. `quantity` is of what was submitted, `leaves` of what was left when the venue answered, `observed` and `allowed` of a breach.
CREATE OR REPLACE MACRO orders() AS TABLE
WITH records AS (
  FROM read_parquet(getvariable('archive') || '/orders/venue=*/date=*/part-*.parquet', hive_partitioning = true)
)
SELECT
  h.ts_event, h.ts_recv, h.venue, h.symbol, h.name, h.kind AS event, r.client_order_id, r.strategy, h.side, r.order_type AS type, r.time_in_force,
  (r.size_mantissa >> 28) & 1 = 1 AS post_only, (r.size_mantissa >> 29) & 1 = 1 AS reduce_only,
  CASE WHEN h.kind <> 'risk_breach' THEN h.price END AS price, t.price AS trigger_price,
  CASE WHEN h.kind IN ('order_submitted', 'replace_submitted') THEN h.size END AS quantity,
  CASE WHEN h.kind NOT IN ('order_submitted', 'replace_submitted', 'risk_breach') THEN h.size END AS leaves,
  r.reason, CASE WHEN h.kind = 'risk_breach' THEN h.price END AS observed, CASE WHEN h.kind = 'risk_breach' THEN h.size END AS allowed,
  h.date, h.run_id, h.sequence, h.journal_index
FROM records h
LEFT JOIN records t ON t.kind = 'trigger_price' AND t.run_id = h.run_id AND t.venue = h.venue AND t.ts_event = h.ts_event AND t.sequence = h.sequence + 1
LEFT JOIN records r ON r.kind = 'order_ref' AND r.run_id = h.run_id AND r.venue = h.venue AND r.ts_event = h.ts_event
  AND r.sequence = h.sequence + CASE WHEN t.kind IS NULL THEN 1 ELSE 2 END
WHERE h.kind NOT IN ('order_ref', 'trigger_price', 'fee')
ORDER BY h.journal_index;

-- Fills. The fee is in the quote currency, negative for a rebate; `leaves` is what was left of the order.
CREATE OR REPLACE MACRO fills() AS TABLE
WITH heads AS (
  FROM read_parquet(getvariable('archive') || '/fills/venue=*/date=*/part-*.parquet', hive_partitioning = true)
), records AS (
  FROM read_parquet(getvariable('archive') || '/orders/venue=*/date=*/part-*.parquet', hive_partitioning = true)
)
SELECT
  h.ts_event, h.ts_recv, h.venue, h.symbol, h.name, r.client_order_id, r.strategy, h.side, h.price, h.size, h.price * h.size AS notional,
  f.price AS fee, f.size AS leaves, r.liquidity, h.date, h.run_id, h.sequence, h.journal_index
FROM heads h
LEFT JOIN records f ON f.kind = 'fee' AND f.run_id = h.run_id AND f.venue = h.venue AND f.ts_event = h.ts_event AND f.sequence = h.sequence + 1
LEFT JOIN records r ON r.kind = 'order_ref' AND r.run_id = h.run_id AND r.venue = h.venue AND r.ts_event = h.ts_event AND r.sequence = h.sequence + 2
ORDER BY h.journal_index;

-- Signals: the price that they refer to, and their target or strength.
CREATE OR REPLACE MACRO signals() AS TABLE
WITH heads AS (
  FROM read_parquet(getvariable('archive') || '/signals/venue=*/date=*/part-*.parquet', hive_partitioning = true)
), records AS (
  FROM read_parquet(getvariable('archive') || '/orders/venue=*/date=*/part-*.parquet', hive_partitioning = true)
)
SELECT
  h.ts_event, h.ts_recv, h.venue, h.symbol, h.name, r.strategy, h.side, h.price, h.size, h.date, h.run_id, h.sequence, h.journal_index
FROM heads h
LEFT JOIN records r ON r.kind = 'order_ref' AND r.run_id = h.run_id AND r.venue = h.venue AND r.ts_event = h.ts_event AND r.sequence = h.sequence + 1
ORDER BY h.journal_index;
