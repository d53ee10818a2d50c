"""Writes a synthetic archive of so many records, to time the macros on: trades and quotes of 20 symbols over one day.

    python analysis/generate.py DIR RECORDS

The files have the columns that the macros use, in types and order of a real archive, and no manifest: `tickpath verify` refuses them.
"""

import sys
from pathlib import Path

import duckdb

TRADES = """
SELECT 'SYM' || lpad(CAST(i * 20 // {n} AS VARCHAR), 2, '0') AS symbol, 'synthetic' AS venue, 'trade' AS kind,
       CASE WHEN hash(i) % 2 = 0 THEN 'buy' ELSE 'sell' END AS side,
       price_mantissa / 100.0 AS price, size_mantissa / 1e8 AS size, price_mantissa, size_mantissa,
       CAST(make_timestamp_ns(ns) AS TIMESTAMPTZ_NS) AS ts_event, CAST(make_timestamp_ns(ns + 1000000) AS TIMESTAMPTZ_NS) AS ts_recv,
       CAST(make_timestamp_ns(ns + 1010000) AS TIMESTAMPTZ_NS) AS published,
       true AS last, false AS snapshot, false AS untrusted, false AS no_event_time, false AS derived, CAST(i AS UBIGINT) AS journal_index
FROM (
  SELECT i, CAST(6000000 + 10000 * sin(i / 100000.0) + hash(i) % 100 AS BIGINT) AS price_mantissa,
         CAST(1 + hash(i + 1) % 100000000 AS BIGINT) AS size_mantissa,
         1795219200000000000 + CAST((i % ({n} // 20)) * (86400000000000.0 / ({n} // 20)) AS BIGINT) AS ns
  FROM range({n}) r(i)
)
"""
QUOTES = """
SELECT symbol, venue, 'quote' AS kind, unnest(['bid', 'ask']) AS side, unnest([price, price + 0.01]) AS price, size,
       unnest([price_mantissa, price_mantissa + 1]) AS price_mantissa, size_mantissa, ts_event, ts_recv, published,
       unnest([false, true]) AS last, snapshot, untrusted, no_event_time, derived, unnest([2 * journal_index, 2 * journal_index + 1]) AS journal_index
FROM ({trades})
"""
# Nothing is missing, but the macros want the table.
STATUS = "SELECT *, NULL::VARCHAR AS cause, NULL::BIGINT AS argument_1, NULL::BIGINT AS argument_2 FROM ({trades}) WHERE false"
LEVELS = "SELECT * REPLACE ('book_level' AS kind, CASE side WHEN 'buy' THEN 'bid' ELSE 'ask' END AS side) FROM ({trades})"


def main():
    root, records = Path(sys.argv[1]), int(sys.argv[2])
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = true")
    # A quarter trades, half quotes, a quarter levels.
    trades = TRADES.format(n=records // 4 // 20 * 20)
    derived = {"quotes": QUOTES, "book_levels": LEVELS, "status": STATUS}
    queries = {"trades": trades} | {table: query.format(trades=trades) for table, query in derived.items()}
    for table, query in queries.items():
        folder = root / table / "venue=synthetic" / "date=2026-11-21"
        folder.mkdir(parents=True)
        query = f"COPY ({query}) TO '{folder}/part-0.parquet' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
        connection.execute(query)
        print(table, (folder / "part-0.parquet").stat().st_size, "bytes", flush=True)


if __name__ == "__main__":
    main()
