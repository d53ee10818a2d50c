-- What people and dashboards ask: names instead of keys. `ts` and `bucket` are the columns to restrict by time.
CREATE FUNCTION side_name(side smallint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT CASE side WHEN 1 THEN 'bid' WHEN 2 THEN 'ask' END $$;
CREATE FUNCTION venue_name(code smallint, name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT coalesce(name, 'venue' || code) $$;

CREATE VIEW v_trades AS
  SELECT t.ts, t.ts_event, t.ts_recv, venue_name(t.venue, v.name) AS venue, i.symbol, i.name,
         CASE t.side WHEN 1 THEN 'buy' WHEN 2 THEN 'sell' END AS side, t.price, t.size, t.price * t.size AS notional,
         t.flags, t.run, t.position, t.sequence, t.ts_event_ns, t.ts_recv_ns
    FROM trades t LEFT JOIN instruments i USING (instrument) LEFT JOIN venues v ON v.venue = t.venue;

CREATE VIEW v_quotes AS
  SELECT t.ts, t.ts_event, t.ts_recv, venue_name(t.venue, v.name) AS venue, i.symbol, i.name, side_name(t.side) AS side, t.price, t.size,
         t.flags, t.run, t.position, t.sequence, t.ts_event_ns, t.ts_recv_ns
    FROM quotes t LEFT JOIN instruments i USING (instrument) LEFT JOIN venues v ON v.venue = t.venue;

CREATE VIEW v_book_levels AS
  SELECT t.ts, t.ts_event, t.ts_recv, venue_name(t.venue, v.name) AS venue, i.symbol, i.name, k.name AS kind, side_name(t.side) AS side, t.price, t.size,
         t.flags, t.run, t.position, t.sequence, t.ts_event_ns, t.ts_recv_ns
    FROM book_levels t LEFT JOIN instruments i USING (instrument) LEFT JOIN venues v ON v.venue = t.venue LEFT JOIN kinds k USING (kind);

-- The best bid and offer whenever it was quoted: a quote's two rows as one. Quotes of a book that is not proven (flag 16) are left out.
CREATE VIEW v_spread AS
  SELECT q.ts, venue_name(q.venue, v.name) AS venue, i.symbol, i.name, q.bid[2] AS bid, q.ask[2] AS ask,
         q.bid[3] AS bid_size, q.ask[3] AS ask_size, q.ask[2] - q.bid[2] AS spread, (q.ask[2] + q.bid[2]) / 2 AS mid
    FROM (SELECT ts, run, venue, instrument,
                 max(ARRAY[position, price, size]) FILTER (WHERE side = 1) AS bid,
                 max(ARRAY[position, price, size]) FILTER (WHERE side = 2) AS ask
            FROM quotes WHERE flags & 16 = 0 GROUP BY ts, run, venue, instrument) q
    LEFT JOIN instruments i USING (instrument) LEFT JOIN venues v ON v.venue = q.venue
   WHERE q.bid IS NOT NULL AND q.ask IS NOT NULL;

CREATE VIEW v_ohlcv_1s AS
  SELECT b.bucket, venue_name(b.venue, v.name) AS venue, i.symbol, i.name, b.open, b.high, b.low, b.close, b.volume, b.trades
    FROM bars_1s b LEFT JOIN instruments i USING (instrument) LEFT JOIN venues v ON v.venue = b.venue;

CREATE VIEW v_ohlcv_1m AS
  SELECT b.bucket, venue_name(b.venue, v.name) AS venue, i.symbol, i.name, b.open, b.high, b.low, b.close, b.volume, b.trades
    FROM bars_1m b LEFT JOIN instruments i USING (instrument) LEFT JOIN venues v ON v.venue = b.venue;

CREATE VIEW v_ohlcv_1h AS
  SELECT b.bucket, venue_name(b.venue, v.name) AS venue, i.symbol, i.name, b.open, b.high, b.low, b.close, b.volume, b.trades
    FROM bars_1h b LEFT JOIN instruments i USING (instrument) LEFT JOIN venues v ON v.venue = b.venue;

CREATE VIEW v_status AS
  SELECT t.ts, t.ts_event, t.ts_recv, venue_name(t.venue, v.name) AS venue, i.symbol, k.name AS kind, s.name AS status,
         t.argument1, t.argument2, t.flags, t.run, t.position, t.sequence
    FROM status_events t LEFT JOIN instruments i USING (instrument) LEFT JOIN venues v ON v.venue = t.venue
    LEFT JOIN kinds k USING (kind) LEFT JOIN status_codes s ON t.kind = 5 AND s.code = t.code
   WHERE t.kind <> 6;

-- Everything that is missing: what venues, rings and readers lost (from the stream), and what never came from the journal to here.
CREATE VIEW v_gaps AS
  SELECT t.ts, t.ts_event AS opened_at, t.ts_recv AS noticed_at, t.ts_recv - t.ts_event AS lasted,
         venue_name(t.venue, v.name) AS venue, i.symbol, coalesce(c.name, 'cause' || t.code) AS cause,
         t.argument1 AS first_missing, t.argument2 AS last_missing, t.argument2::numeric - t.argument1 + 1 AS missing, t.run, t.position
    FROM status_events t LEFT JOIN instruments i USING (instrument) LEFT JOIN venues v ON v.venue = t.venue
    LEFT JOIN gap_causes c ON c.code = t.code
   WHERE t.kind = 6
  UNION ALL
  SELECT noticed_at, NULL, noticed_at, NULL, NULL, NULL, 'ingest: ' || reason, first_index, last_index, last_index - first_index + 1, NULL, NULL
    FROM ingest_gaps;
