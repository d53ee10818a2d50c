"""Compares an archive with what `tickpath decode` prints of the same captures: counts and sums of mantissas by venue, symbol, kind and side, exactly.

    python analysis/check.py ARCHIVE DECODED.jsonl…

Also runs every macro once, so that none of them can break unnoticed; those of trading.sql where the archive has orders, fills and signals.
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


def trading(connection):
    """As many events as first records, each with the reference that closes it, and decoded as the records' own numbers say."""
    def one(query):
        return connection.execute(query).fetchone()[0]

    heads = one("SELECT count(*) FROM orders()"), one("SELECT count(*) FROM fills()"), one("SELECT count(*) FROM signals()")
    root = connection.execute("SELECT getvariable('archive')").fetchone()[0]
    references = one(f"SELECT count(*) FROM read_parquet('{root}/orders/venue=*/date=*/part-*.parquet', hive_partitioning = true) WHERE kind = 'order_ref'")
    assert sum(heads) == references, (heads, references)
    assert one("SELECT count(*) FROM orders() WHERE strategy IS NULL OR (event <> 'risk_breach' AND client_order_id IS NULL)") == 0
    assert one("SELECT count(*) FROM fills() WHERE fee IS NULL OR leaves IS NULL OR liquidity IS NULL OR client_order_id IS NULL") == 0
    # What an order was filled in all is at most what was submitted of it.
    assert one("""
        SELECT count(*) FROM (SELECT client_order_id, sum(size) AS filled FROM fills() GROUP BY ALL) f
        JOIN (SELECT client_order_id, max(quantity) AS quantity FROM orders() GROUP BY ALL) o USING (client_order_id)
        WHERE filled > quantity * (1 + 1e-9)""") == 0
    return heads


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
    if all(archive.has_rows(sys.argv[1], table) for table in archive.TRADING_TABLES):
        print("orders, fills, signals:", *trading(connection))
    print(f"{len(expected)} totals of {sum(total[0] for total in expected.values())} records are equal")


if __name__ == "__main__":
    main()
