"""Draws what an archive holds, as PNG files: candles with volume, spread, depth of a book, trade imbalance, latency.

    python analysis/plots.py ARCHIVE OUT_DIR [VENUE SYMBOL]

Without venue and symbol, the one with the most trades. The pictures in analysis/plots are of a recorded capture, which has no
publish times of its own: latency is left out there.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.dates as dates  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402

import archive  # noqa: E402

UP, DOWN, LINE = "#2a9d8f", "#d1495b", "#33658a"


def columns(connection, query, *arguments):
    """A query's columns as NumPy arrays."""
    return connection.execute(query, list(arguments)).fetchnumpy()


def busiest(connection):
    return connection.execute("SELECT venue, symbol FROM trades GROUP BY ALL ORDER BY count(*) DESC, symbol LIMIT 1").fetchone()


def clock(axes):
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S"))
    axes.grid(alpha=0.25)


def candles(connection, venue, symbol):
    """Candles of ten seconds over their volume."""
    bars = columns(connection, "FROM ohlcv($2, INTERVAL 10 SECOND) WHERE venue = $1", venue, symbol)
    figure, (prices, volume) = plt.subplots(2, 1, sharex=True, figsize=(11, 6), height_ratios=[3, 1])
    colors = [UP if close >= begin else DOWN for begin, close in zip(bars["open"], bars["close"])]
    width = 8 / 86400
    prices.vlines(bars["bucket"], bars["low"], bars["high"], colors=colors, linewidth=1)
    height = abs(bars["close"] - bars["open"])
    prices.bar(bars["bucket"], height, width, [min(pair) for pair in zip(bars["open"], bars["close"])], color=colors)
    average = columns(connection, "FROM vwap($2, INTERVAL 1 MINUTE) WHERE venue = $1", venue, symbol)
    prices.step(average["bucket"], average["vwap"], where="post", color=LINE, linewidth=1, label="VWAP, 1 minute")
    prices.legend(loc="upper right")
    prices.set_ylabel("price")
    volume.bar(bars["bucket"], bars["volume"], width, color=colors)
    volume.set_ylabel("volume")
    volume.set_xlabel("UTC")
    prices.set_title(f"{venue} {symbol}: candles of 10 seconds")
    clock(prices)
    clock(volume)
    return figure


def spread(connection, venue, symbol):
    """Mid price, and the spread below it."""
    quotes = columns(connection, "SELECT CAST(make_timestamp_ns(epoch_ns(ts_recv)) AS TIMESTAMP) AS at, mid, spread FROM spread($2) WHERE venue = $1", venue, symbol)
    figure, (mid, width) = plt.subplots(2, 1, sharex=True, figsize=(11, 6), height_ratios=[2, 1])
    mid.step(quotes["at"], quotes["mid"], where="post", color=LINE, linewidth=0.8)
    mid.set_ylabel("mid price")
    mid.set_title(f"{venue} {symbol}: {len(quotes['mid'])} quotes")
    width.step(quotes["at"], quotes["spread"], where="post", color=DOWN, linewidth=0.6)
    width.set_ylabel("spread")
    width.set_xlabel("UTC")
    clock(mid)
    clock(width)
    return figure


def depth(connection, venue, symbol):
    """The book at the middle of the recording, cumulated."""
    middle = connection.execute(
        "SELECT (min(epoch_ns(ts_recv)) + max(epoch_ns(ts_recv))) // 2 FROM book_levels WHERE venue = $1 AND symbol = $2", [venue, symbol]).fetchone()[0]
    figure, axes = plt.subplots(figsize=(11, 5))
    for side, color in (("bid", UP), ("ask", DOWN)):
        book = columns(connection, "FROM book($1, $2, make_timestamp_ns($3), 100) WHERE side = $4", venue, symbol, middle, side)
        axes.step(book["price"], book["depth_size"], where="post" if side == "ask" else "pre", color=color, label=side)
        axes.fill_between(book["price"], book["depth_size"], step="post" if side == "ask" else "pre", color=color, alpha=0.2)
    at = connection.execute("SELECT strftime(CAST(make_timestamp_ns($1) AS TIMESTAMP), '%Y-%m-%d %H:%M:%S UTC')", [middle]).fetchone()[0]
    axes.set_title(f"{venue} {symbol}: the 100 best levels at {at}")
    axes.set_xlabel("price")
    axes.set_ylabel("cumulated size")
    axes.legend()
    axes.grid(alpha=0.25)
    return figure


def imbalance(connection, venue, symbol):
    """Who was the aggressor."""
    bars = columns(connection, "FROM trade_imbalance($2, INTERVAL 10 SECOND) WHERE venue = $1", venue, symbol)
    figure, axes = plt.subplots(figsize=(11, 4))
    colors = [UP if value >= 0 else DOWN for value in bars["imbalance"]]
    axes.bar(bars["bucket"], bars["imbalance"], 8 / 86400, color=colors)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_ylim(-1, 1)
    axes.set_title(f"{venue} {symbol}: (bought - sold) / (bought + sold) in 10 seconds")
    axes.set_xlabel("UTC")
    clock(axes)
    return figure


def latency(connection, _venue, _symbol):
    """Percentiles from the frame's arrival to the relay's publication."""
    hops = columns(connection, "FROM latency() WHERE hop = 'receive to publish'")
    figure, axes = plt.subplots(figsize=(11, 4))
    names = ["p50_us", "p90_us", "p99_us", "p99_9_us", "max_us"]
    for place, venue in enumerate(hops["venue"]):
        values = [hops[name][place] for name in names]
        axes.plot([name.removesuffix("_us").replace("_", ".") for name in names], values, marker="o", label=f"{venue} ({hops['records'][place]} records)")
    axes.set_yscale("log")
    axes.set_ylabel("microseconds")
    axes.set_title("From receive to publish")
    axes.legend()
    axes.grid(alpha=0.25, which="both")
    return figure


def main():
    if len(sys.argv) not in (3, 5):
        raise SystemExit(__doc__)
    connection, out = archive.connect(sys.argv[1]), Path(sys.argv[2])
    venue, symbol = sys.argv[3:] or busiest(connection)
    out.mkdir(parents=True, exist_ok=True)
    for draw in (candles, spread, depth, imbalance, latency):
        figure = draw(connection, venue, symbol)
        figure.tight_layout()
        path = out / f"{draw.__name__}.png"
        figure.savefig(path, dpi=90)
        plt.close(figure)
        print(path)


if __name__ == "__main__":
    main()
