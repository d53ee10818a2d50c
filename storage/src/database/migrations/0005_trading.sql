-- Trading events, one row each. An event is two or three rows of consecutive `sequence`: its first, in `orders`, `fills` or `signals`, then in `orders`
-- a stop's trigger (kind 24) or a fill's fee (kind 25), and last its reference (kind 23), whose price is the client order id and whose size packs the rest:
-- bits 0-15 strategy, 16-23 type, 24-27 time in force, 28 post-only, 29 reduce-only, 32-39 reason, 40-47 liquidity. All rows of an event have the same
-- times, so that a condition on `ts` holds for each of them. What a row would say that is missing is NULL.

-- The execution venue has no instruments of its own, by which venues are named otherwise.
INSERT INTO venues (venue, name) VALUES (5, 'paper') ON CONFLICT DO NOTHING;

CREATE TABLE reasons (
  code smallint PRIMARY KEY,
  name text NOT NULL
);

-- Session and number within it: 3-17.
CREATE FUNCTION client_order_id(id numeric) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT CASE WHEN id <> 0 THEN (id::bigint >> 32) || '-' || (id::bigint & 4294967295) END $$;
CREATE FUNCTION order_detail(detail numeric, shift int, mask bigint) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT (detail::bigint >> shift & mask)::int $$;
CREATE FUNCTION order_side(side smallint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
  $$ SELECT CASE side WHEN 1 THEN 'buy' WHEN 2 THEN 'sell' END $$;

CREATE VIEW v_orders AS
  SELECT h.ts, h.ts_event, h.ts_recv, venue_name(h.venue, v.name) AS venue, i.symbol, i.name, k.name AS event,
         client_order_id(r.price) AS client_order_id, order_detail(r.size, 0, 65535) AS strategy, order_side(h.side) AS side,
         (ARRAY['market', 'limit', 'stop', 'stop_limit'])[order_detail(r.size, 16, 255)] AS type,
         (ARRAY['gtc', 'ioc', 'fok'])[order_detail(r.size, 24, 15)] AS time_in_force,
         order_detail(r.size, 28, 1) = 1 AS post_only, order_detail(r.size, 29, 1) = 1 AS reduce_only,
         CASE WHEN h.kind <> 22 THEN h.price END AS price, t.price AS trigger_price,
         CASE WHEN h.kind IN (17, 28) THEN h.size END AS quantity, CASE WHEN h.kind NOT IN (17, 22, 28) THEN h.size END AS leaves,
         c.name AS reason, CASE h.kind WHEN 22 THEN h.price END AS observed, CASE h.kind WHEN 22 THEN h.size END AS allowed,
         h.run, h.position, h.sequence, h.ts_event_ns, h.ts_recv_ns
    FROM orders h
    LEFT JOIN orders t ON t.kind = 24 AND t.ts = h.ts AND t.run = h.run AND t.venue = h.venue AND t.sequence = h.sequence + 1
    LEFT JOIN orders r ON r.kind = 23 AND r.ts = h.ts AND r.run = h.run AND r.venue = h.venue
                      AND r.sequence = h.sequence + CASE WHEN t.kind IS NULL THEN 1 ELSE 2 END
    LEFT JOIN reasons c ON c.code = order_detail(r.size, 32, 255)
    LEFT JOIN instruments i ON i.instrument = h.instrument LEFT JOIN venues v ON v.venue = h.venue LEFT JOIN kinds k ON k.kind = h.kind
   WHERE h.kind NOT IN (23, 24, 25);

-- The fee is in the quote currency, negative for a rebate; leaves is what was left of the order.
CREATE VIEW v_fills AS
  SELECT h.ts, h.ts_event, h.ts_recv, venue_name(h.venue, v.name) AS venue, i.symbol, i.name,
         client_order_id(r.price) AS client_order_id, order_detail(r.size, 0, 65535) AS strategy, order_side(h.side) AS side,
         h.price, h.size, h.price * h.size AS notional, f.price AS fee, f.size AS leaves,
         (ARRAY['maker', 'taker'])[order_detail(r.size, 40, 255)] AS liquidity,
         h.run, h.position, h.sequence, h.ts_event_ns, h.ts_recv_ns
    FROM fills h
    LEFT JOIN orders f ON f.kind = 25 AND f.ts = h.ts AND f.run = h.run AND f.venue = h.venue AND f.sequence = h.sequence + 1
    LEFT JOIN orders r ON r.kind = 23 AND r.ts = h.ts AND r.run = h.run AND r.venue = h.venue AND r.sequence = h.sequence + 2
    LEFT JOIN instruments i ON i.instrument = h.instrument LEFT JOIN venues v ON v.venue = h.venue;

-- The price is the one that the signal refers to, the size its target or strength.
CREATE VIEW v_signals AS
  SELECT h.ts, h.ts_event, h.ts_recv, venue_name(h.venue, v.name) AS venue, i.symbol, i.name,
         order_detail(r.size, 0, 65535) AS strategy, order_side(h.side) AS side, h.price, h.size,
         h.run, h.position, h.sequence, h.ts_event_ns, h.ts_recv_ns
    FROM signals h
    LEFT JOIN orders r ON r.kind = 23 AND r.ts = h.ts AND r.run = h.run AND r.venue = h.venue AND r.sequence = h.sequence + 1
    LEFT JOIN instruments i ON i.instrument = h.instrument LEFT JOIN venues v ON v.venue = h.venue;
