"""Publish a night: a copy of the build file takes the place of the published one, whole or not at all.

A reader sees the old night or the new one, never something between: the copy is made under another name in
the same folder, opened once, flushed to the disk and then renamed. The last few publications are kept beside
it, so that readers can be taken back to one in the same way. What does NOT belong here: deciding whether a
night may be published (that is the gates' part).
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from warehouse import files

PUBLISHED_SCHEMAS = frozenset({"audit", "marts"})
# What a night has written, for its checks; they are over when it is published.
_SCRATCH_SCHEMA = "tonight"
_MODE = 0o640
_FOLDER_MODE = 0o750
# to the microsecond, as in audit.runs: the two are compared
_TIME = "%Y%m%dT%H%M%S.%fZ"
# What a file system says that knows no second name for a file.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.EMLINK, errno.ENOSYS})
_TEMPORARY = re.compile(r"\.\d+\.publishing(\.wal)?$")


class PublicationError(RuntimeError):
    """The build file is not fit to be published; the published file is as it was."""


@dataclass(frozen=True)
class Edition:
    """Which night a published file holds; its name among the kept ones.

    Attributes:
        run_id: The night's run.
        as_of: Its snapshot date.
        published_at: When it was handed to readers, aware, UTC.
    """

    run_id: str
    as_of: date
    published_at: datetime

    @property
    def file_name(self) -> str:
        """Name of the kept file: it sorts by time, and says all of this."""
        return f"{self.published_at:{_TIME}}_{self.as_of}_{self.run_id}.duckdb"

    @classmethod
    def of(cls, path: Path) -> Edition | None:
        """Read a kept file's name; `None` for a file of another kind."""
        published_at, _, rest = path.name.removesuffix(".duckdb").partition("_")
        as_of, _, run_id = rest.partition("_")
        try:
            moment = datetime.strptime(published_at, _TIME).replace(tzinfo=UTC)
            return cls(run_id, date.fromisoformat(as_of), moment) if run_id else None
        except ValueError:
            return None


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


def publish(build: Path, published: Path, kept: Path, edition: Edition, keep: int = 1) -> Publication:
    """Put a copy of the build file in place of the published file, and keep it to come back to.

    Args:
        build: DuckDB file with the schemas marts and audit, held open by nobody.
        published: Where readers look for it, in a folder that exists.
        kept: Folder of the kept publications; made when absent.
        edition: Which night it is.
        keep: How many publications stay, this one included.

    Raises:
        PublicationError: The build file holds other schemas, lacks one, or cannot be read.
        OSError: The disk is full or the folder cannot be written.
    """
    begun = time.monotonic()
    remove_leftovers(published, kept)
    _checkpoint(build)
    kept.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    with _temporary(published) as temporary:
        files.copy(build, temporary)
        temporary.chmod(_MODE)
        _check(temporary)
        files.flush(temporary)
        size = temporary.stat().st_size
        _link(temporary, kept / edition.file_name)
        _put_in_place(temporary, published)
    _forget(kept, edition, keep)
    return Publication(path=published, size_bytes=size, seconds=time.monotonic() - begun)


def put_back(published: Path, kept: Path, edition: Edition) -> None:
    """Put a kept publication in place of the published file.

    Raises:
        PublicationError: It is not kept, or cannot be read.
        OSError: The disk is full or the folder cannot be written.
    """
    file = kept / edition.file_name
    if not file.is_file():
        raise PublicationError(f"The publication of run {edition.run_id} is not kept in {kept}.")
    remove_leftovers(published, kept)
    with _temporary(published) as temporary:
        _link(file, temporary)
        _check(temporary)
        _put_in_place(temporary, published)


def editions(kept: Path) -> list[Edition]:
    """Return the kept publications, the latest first."""
    found = (Edition.of(path) for path in kept.glob("*.duckdb")) if kept.is_dir() else ()
    return sorted(filter(None, found), key=lambda edition: edition.published_at, reverse=True)


def remove_leftovers(published: Path, kept: Path) -> list[Path]:
    """Remove copies that writers left behind who died while they published; return what was removed.

    Call it with the writer's lock held: then no other writer of this warehouse can be alive.
    """
    candidates = [*published.parent.glob(f"{published.name}.*"), *kept.glob("*.publishing*")]
    leftovers = [path for path in candidates if _TEMPORARY.search(path.name)]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return leftovers


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """A name beside a file, for what shall take its place; nothing is left under it."""
    temporary = target.with_name(f"{target.name}.{os.getpid()}.publishing")
    try:
        yield temporary
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _put_in_place(temporary: Path, published: Path) -> None:
    # Somebody who wrote to the old file and died left a log that DuckDB would replay onto the new one.
    published.with_name(f"{published.name}.wal").unlink(missing_ok=True)
    temporary.replace(published)
    files.flush(published.parent)


def _link(file: Path, target: Path) -> None:
    """Give a file a second name, which costs nothing; a file system without links gets a copy."""
    try:
        target.hardlink_to(file)
    except FileExistsError:
        target.unlink()
        target.hardlink_to(file)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with _temporary(target) as copy:
            files.copy(file, copy)
            copy.chmod(_MODE)
            files.flush(copy)
            copy.replace(target)
    files.flush(target.parent)


def _forget(kept: Path, latest: Edition, keep: int) -> None:
    """Remove publications beyond the number to keep, and those of earlier tries of the same run."""
    others = [edition for edition in editions(kept) if edition != latest]
    earlier = [edition for edition in others if edition.run_id != latest.run_id]
    for edition in others:
        if edition not in earlier[: keep - 1]:
            (kept / edition.file_name).unlink(missing_ok=True)


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
