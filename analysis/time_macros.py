"""Times each macro on an archive, three times, and prints the median.

    python analysis/time_macros.py ARCHIVE
"""

import statistics
import sys
import time

import archive

QUERIES = [
    "SELECT count(*), sum(price_mantissa) FROM trades",
    "SELECT count(*) FROM ohlcv('%', INTERVAL 1 MINUTE)",
    "SELECT count(*) FROM ohlcv('SYM07', INTERVAL 1 MINUTE)",
    "SELECT count(*) FROM vwap('%', INTERVAL 1 MINUTE)",
    "SELECT count(*) FROM trade_imbalance('%', INTERVAL 1 MINUTE)",
    "SELECT avg(spread_bps) FROM spread('SYM07')",
    "SELECT avg(spread_bps) FROM spread('%')",
    "SELECT count(*) FROM book('synthetic', 'SYM07', TIMESTAMP '2026-11-21 12:00:00', 10)",
    "FROM latency()",
]


def main():
    connection = archive.connect(sys.argv[1])
    for query in QUERIES:
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            connection.execute(query).fetchall()
            times.append(time.perf_counter() - begin)
        print(f"{statistics.median(times):7.2f} s  {query}", flush=True)


if __name__ == "__main__":
    main()
