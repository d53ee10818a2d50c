-- Keeps the bars that ended before `upto`, each level of the finer one. It reads the trades and bars of the time that it brings forward and no others:
-- the views, which it went through before, aggregate all trades that are not kept yet, an hour of them after a late one, for each slice of a minute.
CREATE OR REPLACE FUNCTION refresh_bars(upto timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  done_from timestamptz;
  done_to timestamptz;
BEGIN
  SELECT refreshed_to INTO done_from FROM bar_progress WHERE unit = 'second';
  done_to := date_trunc('second', upto, 'UTC');
  IF done_to > done_from THEN
    DELETE FROM ohlcv_1s WHERE bucket >= done_from;
    INSERT INTO ohlcv_1s
      SELECT date_trunc('second', ts, 'UTC'), venue, instrument,
             (min(ARRAY[ts_event_ns, position, price]))[3], max(price), min(price),
             (max(ARRAY[ts_event_ns, position, price]))[3], sum(size), count(*)
        FROM trades
       WHERE ts >= done_from AND ts < done_to AND price IS NOT NULL AND flags & 8 = 0
       GROUP BY 1, 2, 3;
    UPDATE bar_progress SET refreshed_to = done_to WHERE unit = 'second';
  END IF;

  SELECT refreshed_to INTO done_from FROM bar_progress WHERE unit = 'minute';
  done_to := date_trunc('minute', upto, 'UTC');
  IF done_to > done_from THEN
    DELETE FROM ohlcv_1m WHERE bucket >= done_from;
    INSERT INTO ohlcv_1m
      SELECT date_trunc('minute', bucket, 'UTC'), venue, instrument,
             (min(ARRAY[extract(epoch FROM bucket), open]))[2], max(high), min(low),
             (max(ARRAY[extract(epoch FROM bucket), close]))[2], sum(volume), sum(trades)::bigint
        FROM ohlcv_1s WHERE bucket >= done_from AND bucket < done_to
       GROUP BY 1, 2, 3;
    UPDATE bar_progress SET refreshed_to = done_to WHERE unit = 'minute';
  END IF;

  SELECT refreshed_to INTO done_from FROM bar_progress WHERE unit = 'hour';
  done_to := date_trunc('hour', upto, 'UTC');
  IF done_to > done_from THEN
    DELETE FROM ohlcv_1h WHERE bucket >= done_from;
    INSERT INTO ohlcv_1h
      SELECT date_trunc('hour', bucket, 'UTC'), venue, instrument,
             (min(ARRAY[extract(epoch FROM bucket), open]))[2], max(high), min(low),
             (max(ARRAY[extract(epoch FROM bucket), close]))[2], sum(volume), sum(trades)::bigint
        FROM ohlcv_1m WHERE bucket >= done_from AND bucket < done_to
       GROUP BY 1, 2, 3;
    UPDATE bar_progress SET refreshed_to = done_to WHERE unit = 'hour';
  END IF;
END $$;
