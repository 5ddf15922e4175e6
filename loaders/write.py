"""Puts raw channel tables into a raw zone as Parquet, all of them or none.

Shared by the loaders of installed data sets. What a table means and which rows it holds belongs in the
loader of its source; checking the raw contract belongs in the warehouse, which trusts no loader.
"""

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb


class LandingError(RuntimeError):
    """A source cannot be landed; the message says what is missing and what to do."""


@dataclass(frozen=True)
class LandingSummary:
    """What one landing wrote.

    Attributes:
        source: Name of the source, which is also the stem of each written file.
        raw: The raw zone.
        rows: Number of rows per raw table, in the order in which the tables were landed.
    """

    source: str
    raw: Path
    rows: Mapping[str, int]

    def file(self, table: str) -> Path:
        """Path of the file that holds one landed table."""
        return landed_file(self.raw, table, self.source)


def landed_file(raw: Path, table: str, source: str) -> Path:
    """Path at which a source's part of a raw table stands: ``<raw>/<table>/<source>.parquet``."""
    return raw / table / f"{source}.parquet"


def installed_file(package: str, *parts: str, remedy: str) -> Path:
    """Find a data file inside an installed package without running the package's code.

    ``importlib.resources`` would import the package; the packages read here pull in data frames or
    modules that are gone from today's setuptools, only to say where their folder is.

    Args:
        package: Import name of a top-level package.
        parts: Path of the file inside the package.
        remedy: What a person can do when the file is not there, for the error message.

    Raises:
        LandingError: The package is not installed, or has no such file.
    """
    spec = importlib.util.find_spec(package)
    for location in (spec.submodule_search_locations if spec else None) or ():
        candidate = Path(location, *parts)
        if candidate.is_file():
            return candidate
    missing = "is not installed" if spec is None else f"has no file {'/'.join(parts)}"
    raise LandingError(f"Package {package} {missing}: {remedy}")


def land_tables(
    connection: duckdb.DuckDBPyConnection, raw: Path, source: str, queries: Mapping[str, str]
) -> LandingSummary:
    """Write one Parquet file per raw table and put them in place together.

    Every table is written beside its place under a hidden name, which no reader of a raw zone looks at;
    only when the last one is written are they renamed. Landing again replaces the files of this source
    and leaves those of other sources alone.

    Args:
        connection: Where the queries run.
        raw: The raw zone; folders are made as needed.
        source: Name of the source.
        queries: Raw table to the query of its rows, ordered by its key so that equal input gives equal files.

    Returns:
        The rows that were written.

    Raises:
        LandingError: The raw zone cannot be written.
    """
    written: dict[Path, Path] = {}
    rows: dict[str, int] = {}
    try:
        for table, query in queries.items():
            place = landed_file(raw, table, source)
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = place.with_name(f".{place.name}.{os.getpid()}.tmp")
            written[draft] = place
            target = str(draft).replace("'", "''")
            copied = connection.execute(f"copy ({query}) to '{target}' (format parquet, compression zstd)")
            rows[table] = copied.fetchall()[0][0]
        for draft, place in written.items():
            draft.replace(place)
    except (OSError, duckdb.IOException) as error:
        raise LandingError(f"Cannot write the raw zone {raw}: {error}") from error
    finally:
        for draft in written:
            draft.unlink(missing_ok=True)
    return LandingSummary(source=source, raw=raw, rows=rows)
