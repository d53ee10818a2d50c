-- Keeps the bars that ended before `upto`, each level of the finer one. It reads the trades and bars of the time that it brings forward and no others:
-- the views, which it went through before, aggregate all trades that are not kept yet, an hour of them after a late one, for each slice of a minute.
CREATE OR REPLACE FUNCTION refresh_bars(upto timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  level record;
  done_to timestamptz;
BEGIN
  FOR level IN
    SELECT bars, finer, unit, refreshed_to
      FROM bar_progress JOIN (VALUES (1, 'ohlcv_1s', 'trades'), (2, 'ohlcv_1m', 'ohlcv_1s'), (3, 'ohlcv_1h', 'ohlcv_1m')) AS made (nth, bars, finer) USING (bars)
     ORDER BY nth
  LOOP
    done_to := date_trunc(level.unit, upto, 'UTC');
    CONTINUE WHEN done_to <= level.refreshed_to;
    EXECUTE format('DELETE FROM %I WHERE bucket >= $1', level.bars) USING level.refreshed_to;
    IF level.finer = 'trades' THEN
      INSERT INTO ohlcv_1s
        SELECT date_trunc('second', ts, 'UTC'), venue, instrument,
               (min(ARRAY[ts_event_ns, position, price]))[3], max(price), min(price),
               (max(ARRAY[ts_event_ns, position, price]))[3], sum(size), count(*)
          FROM trades
         WHERE ts >= level.refreshed_to AND ts < done_to AND price IS NOT NULL AND flags & 8 = 0
         GROUP BY 1, 2, 3;
    ELSE
      EXECUTE format(
        'INSERT INTO %I
           SELECT date_trunc($1, bucket, ''UTC''), venue, instrument,
                  (min(ARRAY[extract(epoch FROM bucket), open]))[2], max(high), min(low),
                  (max(ARRAY[extract(epoch FROM bucket), close]))[2], sum(volume), sum(trades)::bigint
             FROM %I WHERE bucket >= $2 AND bucket < $3
            GROUP BY 1, 2, 3', level.bars, level.finer)
        USING level.unit, level.refreshed_to, done_to;
    END IF;
    UPDATE bar_progress SET refreshed_to = done_to WHERE bars = level.bars;
  END LOOP;
END $$;
