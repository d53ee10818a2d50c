"""Compares an archive with what `tickpath decode` prints of the same captures: counts and sums of mantissas by venue, symbol, kind and side, exactly.

    python analysis/check.py ARCHIVE DECODED.jsonl…

Also runs every macro once, so that none of them can break unnoticed.
"""

import json
import sys
from collections import defaultdict

import archive

COUNTS = """
SELECT venue, symbol, kind, side, count(*), sum(price_mantissa), sum(size_mantissa)
FROM {table} WHERE kind IN ('trade', 'quote', 'book_level', 'book_clear') GROUP BY ALL
"""


def mantissa(text):
    """Of a decimal string: its digits, which decode prints with all decimals of the instrument. Absent counts nothing."""
    return 0 if text is None else int(text.replace(".", ""))


def of_decode(paths):
    """Totals of the JSON lines, control records left out."""
    totals = defaultdict(lambda: [0, 0, 0])
    for path in paths:
        for line in open(path, encoding="utf-8"):
            record = json.loads(line)
            if record.get("kind") in ("trade", "quote", "book_level", "book_clear"):
                total = totals[record["venue"], record["symbol"], record["kind"], record["side"]]
                total[0] += 1
                total[1] += mantissa(record["price"])
                total[2] += mantissa(record["size"])
    return dict(totals)


def of_archive(connection):
    """The same totals by DuckDB."""
    totals = {}
    for table in ("trades", "quotes", "book_levels"):
        for *key, count, price, size in connection.execute(COUNTS.format(table=table)).fetchall():
            totals[tuple(key)] = [count, price or 0, size or 0]
    return totals


def ordinary(connection):
    """Every macro answers, and their answers fit each other."""
    def one(query):
        return connection.execute(query).fetchone()[0]

    trades = one("SELECT count(*) FROM trades")
    assert one("SELECT sum(trades) FROM ohlcv('%', INTERVAL 1 MINUTE)") == trades
    assert one("SELECT count(*) FROM ohlcv('%', INTERVAL 1 MINUTE) WHERE high < low OR open NOT BETWEEN low AND high") == 0
    assert one("SELECT count(*) FROM vwap('%', INTERVAL 1 MINUTE)") == one("SELECT count(*) FROM ohlcv('%', INTERVAL 1 MINUTE)")
    assert one("SELECT max(abs(imbalance)) FROM trade_imbalance('%', INTERVAL 1 MINUTE)") <= 1
    assert 2 * one("SELECT count(*) FROM spread('%')") == one("SELECT count(*) FROM quotes")
    assert one("SELECT count(*) FROM gaps()") == one("SELECT count(*) FROM status WHERE kind = 'gap'")
    assert one("SELECT count(*) FROM latency()") > 0
    # A book that the venue proved is not crossed.
    newest = connection.execute(
        "SELECT venue, symbol, max(epoch_ns(ts_recv)) FROM book_levels WHERE NOT untrusted GROUP BY ALL").fetchall()
    for venue, symbol, at_ns in newest:
        best = connection.execute(
            "SELECT side, price FROM book($1, $2, make_timestamp_ns($3), 1) WHERE NOT untrusted", [venue, symbol, at_ns]).fetchall()
        best = dict(best)
        assert best.get("bid", 0) < best.get("ask", float("inf")), (venue, symbol, best)


def main():
    connection = archive.connect(sys.argv[1])
    expected, found = of_decode(sys.argv[2:]), of_archive(connection)
    # decode prints no price of a book_clear.
    for totals in (expected, found):
        for key, total in totals.items():
            if key[2] == "book_clear":
                total[1:] = [0, 0]
    differing = [key for key in sorted(expected.keys() | found.keys(), key=str) if expected.get(key) != found.get(key)]
    for key in differing:
        print(key, "decode:", expected.get(key), "archive:", found.get(key))
    if differing or not expected:
        raise SystemExit(f"{len(differing)} totals differ of {len(expected)}")
    ordinary(connection)
    print(f"{len(expected)} totals of {sum(total[0] for total in expected.values())} records are equal")


if __name__ == "__main__":
    main()
