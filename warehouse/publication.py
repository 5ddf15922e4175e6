"""Publish a night: a byte copy of the build file takes the place of the published one, whole or not at all.

A reader sees the old night or the new one, never something between: the copy is made under another name in
the same folder, opened once, flushed to the disk and then renamed. What does NOT belong here: deciding
whether a night may be published (that is the gates' part).
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

PUBLISHED_SCHEMAS = frozenset({"audit", "marts"})
# What a night has written, for its checks; they are over when it is published.
_SCRATCH_SCHEMA = "tonight"
_MODE = 0o640
_TEMPORARY = re.compile(r"\.\d+\.publishing(\.wal)?$")


class PublicationError(RuntimeError):
    """The build file is not fit to be published; the published file is as it was."""


@dataclass(frozen=True)
class Publication:
    """What was put in place.

    Attributes:
        path: The published file.
        size_bytes: Its size.
        seconds: How long it took.
    """

    path: Path
    size_bytes: int
    seconds: float


def publish(build: Path, published: Path) -> Publication:
    """Put a copy of the build file in place of the published file.

    Args:
        build: DuckDB file with the schemas marts and audit, held open by nobody.
        published: Where readers look for it, in a folder that exists.

    Raises:
        PublicationError: The build file holds other schemas, lacks one, or cannot be read.
        OSError: The disk is full or the folder cannot be written.
    """
    begun = time.monotonic()
    remove_leftovers(published)
    _checkpoint(build)
    temporary = published.with_name(f"{published.name}.{os.getpid()}.publishing")
    try:
        shutil.copyfile(build, temporary)
        temporary.chmod(_MODE)
        _check(temporary)
        _flush(temporary)
        size = temporary.stat().st_size
        # Somebody who wrote to the old file and died left a log that DuckDB would replay onto the new one.
        published.with_name(f"{published.name}.wal").unlink(missing_ok=True)
        temporary.replace(published)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush(published.parent)
    return Publication(path=published, size_bytes=size, seconds=time.monotonic() - begun)


def remove_leftovers(published: Path) -> list[Path]:
    """Remove copies that writers left behind who died while they published; return what was removed.

    Call it with the writer's lock held: then no other writer of this warehouse can be alive.
    """
    leftovers = [
        path for path in published.parent.glob(f"{published.name}.*") if _TEMPORARY.search(path.name)
    ]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return leftovers


def _checkpoint(build: Path) -> None:
    """Bring everything into the one file, without what only the checks needed."""
    if not build.is_file():
        raise PublicationError(f"There is no build file {build}; run a night first.")
    with duckdb.connect(str(build)) as connection:
        connection.execute(f"drop schema if exists {_SCRATCH_SCHEMA} cascade")
        connection.execute("force checkpoint")
    if build.with_name(build.name + ".wal").exists():
        raise PublicationError(
            f"{build} still has a write-ahead log after a checkpoint; is somebody writing to it?"
        )


def _check(path: Path) -> None:
    """Open the copy as a reader would.

    Raises:
        PublicationError: It does not open, or does not hold what readers expect.
    """
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            schemas = {
                name
                for (name,) in connection.execute(
                    "select distinct schema_name from duckdb_tables() where not internal"
                    " union select distinct schema_name from duckdb_views() where not internal"
                ).fetchall()
            }
            if schemas == PUBLISHED_SCHEMAS:
                connection.execute("select count(*) from audit.runs").fetchone()
                connection.execute(
                    "select count(*) from duckdb_columns() where schema_name = 'marts'"
                ).fetchone()
                return
    except duckdb.Error as error:
        raise PublicationError(f"The copy to publish cannot be read: {error}") from error
    raise PublicationError(
        f"A published file holds the schemas {_names(PUBLISHED_SCHEMAS)}; "
        f"this one holds {_names(schemas) or 'none'}."
    )


def _names(schemas: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(schemas))


def _flush(path: Path) -> None:
    """Have the disk itself hold a file's, or a folder's, content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
