"""Opens an archive in DuckDB with the macros of market.sql, and those of trading.sql if anybody traded."""

from pathlib import Path

import duckdb

MACROS = Path(__file__).with_name("market.sql")
TRADING_MACROS = Path(__file__).with_name("trading.sql")
TABLES = ("trades", "quotes", "book_levels", "status")
TRADING_TABLES = ("orders", "fills", "signals")


def has_rows(archive, table):
    """Whether the archive has a file of that table."""
    return any(Path(archive).glob(f"{table}/venue=*/date=*/part-*.parquet"))


def connect(archive):
    """A connection whose views are the archive's tables. Nothing is fetched from the network."""
    if not Path(archive).is_dir():
        raise SystemExit(f"{archive} is no folder: `tickpath export --to {archive}` makes an archive")
    missing = [table for table in TABLES if not has_rows(archive, table)]
    if missing:
        raise SystemExit(f"{archive} has no rows of {', '.join(missing)}, and the macros want these four tables: read what there is with read_parquet")
    settings = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config=settings)
    connection.execute("SET VARIABLE archive = $1", [str(archive)])
    connection.execute(MACROS.read_text())
    if all(has_rows(archive, table) for table in TRADING_TABLES):
        connection.execute(TRADING_MACROS.read_text())
    return connection
