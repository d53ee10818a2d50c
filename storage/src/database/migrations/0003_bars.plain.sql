-- Bars of trades. The writer keeps them up to `refreshed_to`; the views add what came since, so they are never behind. A trade that comes
-- late takes `refreshed_to` back in its own transaction. Repeated trades of an image (flag 8, snapshot) are no trades of the bar.
CREATE TABLE ohlcv_1s (
  bucket timestamptz NOT NULL,
  venue smallint NOT NULL,
  instrument int,
  open numeric,
  high numeric,
  low numeric,
  close numeric,
  volume numeric,
  trades bigint NOT NULL
);
CREATE TABLE ohlcv_1m (LIKE ohlcv_1s INCLUDING ALL);
CREATE TABLE ohlcv_1h (LIKE ohlcv_1s INCLUDING ALL);
-- A bar is one row in thousands: here an index is cheap, and dashboards ask for time ranges.
CREATE INDEX ohlcv_1s_bucket ON ohlcv_1s (bucket);
CREATE INDEX ohlcv_1m_bucket ON ohlcv_1m (bucket);
CREATE INDEX ohlcv_1h_bucket ON ohlcv_1h (bucket);

CREATE TABLE bar_progress (
  bars text PRIMARY KEY,
  unit text NOT NULL,
  refreshed_to timestamptz NOT NULL
);
INSERT INTO bar_progress VALUES
  ('ohlcv_1s', 'second', '-infinity'), ('ohlcv_1m', 'minute', '-infinity'), ('ohlcv_1h', 'hour', '-infinity');

-- `min(ARRAY[key, …, value])` is the value of the smallest key: PostgreSQL has no aggregate `first`.
CREATE VIEW bars_1s AS
  SELECT * FROM ohlcv_1s WHERE bucket < (SELECT refreshed_to FROM bar_progress WHERE bars = 'ohlcv_1s')
  UNION ALL
  SELECT date_trunc('second', ts, 'UTC') AS bucket, venue, instrument,
         (min(ARRAY[ts_event_ns, position, price]))[3] AS open, max(price) AS high, min(price) AS low,
         (max(ARRAY[ts_event_ns, position, price]))[3] AS close, sum(size) AS volume, count(*) AS trades
    FROM trades
   WHERE ts >= (SELECT refreshed_to FROM bar_progress WHERE bars = 'ohlcv_1s') AND price IS NOT NULL AND flags & 8 = 0
   GROUP BY 1, 2, 3;
CREATE VIEW bars_1m AS
  SELECT * FROM ohlcv_1m WHERE bucket < (SELECT refreshed_to FROM bar_progress WHERE bars = 'ohlcv_1m')
  UNION ALL
  SELECT date_trunc('minute', bucket, 'UTC') AS bucket, venue, instrument,
         (min(ARRAY[extract(epoch FROM bucket), open]))[2] AS open, max(high) AS high, min(low) AS low,
         (max(ARRAY[extract(epoch FROM bucket), close]))[2] AS close, sum(volume) AS volume, sum(trades)::bigint AS trades
    FROM bars_1s WHERE bucket >= (SELECT refreshed_to FROM bar_progress WHERE bars = 'ohlcv_1m')
   GROUP BY 1, 2, 3;
CREATE VIEW bars_1h AS
  SELECT * FROM ohlcv_1h WHERE bucket < (SELECT refreshed_to FROM bar_progress WHERE bars = 'ohlcv_1h')
  UNION ALL
  SELECT date_trunc('hour', bucket, 'UTC') AS bucket, venue, instrument,
         (min(ARRAY[extract(epoch FROM bucket), open]))[2] AS open, max(high) AS high, min(low) AS low,
         (max(ARRAY[extract(epoch FROM bucket), close]))[2] AS close, sum(volume) AS volume, sum(trades)::bigint AS trades
    FROM bars_1m WHERE bucket >= (SELECT refreshed_to FROM bar_progress WHERE bars = 'ohlcv_1h')
   GROUP BY 1, 2, 3;

-- Keeps the bars that ended before `upto`; each level builds on the finer one.
CREATE FUNCTION refresh_bars(upto timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  level record;
  done_to timestamptz;
BEGIN
  FOR level IN SELECT * FROM bar_progress ORDER BY array_position(ARRAY['second', 'minute', 'hour'], unit) LOOP
    done_to := date_trunc(level.unit, upto, 'UTC');
    CONTINUE WHEN done_to <= level.refreshed_to;
    EXECUTE format('DELETE FROM %I WHERE bucket >= $1', level.bars) USING level.refreshed_to;
    EXECUTE format('INSERT INTO %I SELECT * FROM %I WHERE bucket >= $1 AND bucket < $2', level.bars, replace(level.bars, 'ohlcv', 'bars'))
      USING level.refreshed_to, done_to;
    UPDATE bar_progress SET refreshed_to = done_to WHERE bars = level.bars;
  END LOOP;
END $$;
