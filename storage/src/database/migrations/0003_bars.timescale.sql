-- Bars of trades: continuous aggregates, each on the finer one. Repeated trades of an image (flag 8, snapshot) are no trades of the bar.
-- Trades of the same nanosecond are told apart by their position.
CREATE MATERIALIZED VIEW ohlcv_1s WITH (timescaledb.continuous, timescaledb.materialized_only=false) AS
  SELECT time_bucket(interval '1 second', ts) AS bucket, venue, instrument,
         first(price, ts_event_ns::numeric * 10000000000000000000 + position) AS open, max(price) AS high, min(price) AS low,
         last(price, ts_event_ns::numeric * 10000000000000000000 + position) AS close, sum(size) AS volume, count(*) AS trades
    FROM trades WHERE price IS NOT NULL AND flags & 8 = 0 GROUP BY 1, 2, 3 WITH NO DATA;
CREATE MATERIALIZED VIEW ohlcv_1m WITH (timescaledb.continuous, timescaledb.materialized_only=false) AS
  SELECT time_bucket(interval '1 minute', bucket) AS bucket, venue, instrument,
         first(open, ohlcv_1s.bucket) AS open, max(high) AS high, min(low) AS low, last(close, ohlcv_1s.bucket) AS close,
         sum(volume) AS volume, sum(trades)::bigint AS trades
    FROM ohlcv_1s GROUP BY 1, 2, 3 WITH NO DATA;
CREATE MATERIALIZED VIEW ohlcv_1h WITH (timescaledb.continuous, timescaledb.materialized_only=false) AS
  SELECT time_bucket(interval '1 hour', bucket) AS bucket, venue, instrument,
         first(open, ohlcv_1m.bucket) AS open, max(high) AS high, min(low) AS low, last(close, ohlcv_1m.bucket) AS close,
         sum(volume) AS volume, sum(trades)::bigint AS trades
    FROM ohlcv_1m GROUP BY 1, 2, 3 WITH NO DATA;

CREATE VIEW bars_1s AS SELECT * FROM ohlcv_1s;
CREATE VIEW bars_1m AS SELECT * FROM ohlcv_1m;
CREATE VIEW bars_1h AS SELECT * FROM ohlcv_1h;
