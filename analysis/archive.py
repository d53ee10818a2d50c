"""Opens an archive in DuckDB with the macros of market.sql."""

from pathlib import Path

import duckdb

MACROS = Path(__file__).with_name("market.sql")


def connect(archive):
    """A connection whose views are the archive's tables. Nothing is fetched from the network."""
    if not Path(archive).is_dir():
        raise SystemExit(f"{archive} is no folder: `tickpath export --to {archive}` makes an archive")
    settings = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config=settings)
    connection.execute("SET VARIABLE archive = $1", [str(archive)])
    connection.execute(MACROS.read_text())
    return connection
