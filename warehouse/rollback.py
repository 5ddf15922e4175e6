"""Take readers back to an earlier publication: which one, under the writer's lock, and recorded.

What does NOT belong here: how a file takes the place of another (`warehouse.publication`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from warehouse import audit, lock, summary
from warehouse.night import Warehouse, utc_now
from warehouse.publication import Edition, PublicationError, editions, put_back


class RollbackError(RuntimeError):
    """There is nothing to go back to; readers see what they saw."""


class UnknownRunError(RollbackError):
    """The run asked for is none of the kept publications."""


@dataclass(frozen=True)
class Kept:
    """A kept publication.

    Attributes:
        edition: Which night it is.
        size_bytes: Size of its file.
        is_current: Whether readers see it.
    """

    edition: Edition
    size_bytes: int
    is_current: bool


def kept(warehouse: Warehouse) -> list[Kept]:
    """Return the kept publications, the latest first."""
    try:
        current = summary.published_run(warehouse.published)
    except summary.DamagedFileError:
        current = None
    return [
        Kept(
            edition,
            (warehouse.kept / edition.file_name).stat().st_size,
            is_current=current is not None and edition.run_id == current.run_id,
        )
        for edition in editions(warehouse.kept)
    ]


def roll_back(
    warehouse: Warehouse,
    run_id: str | None,
    *,
    command: str,
    and_then: Callable[[], object] = lambda: None,
) -> Edition:
    """Take readers to a kept publication; return it.

    Args:
        warehouse: The warehouse.
        run_id: Run to go to, or how its id begins; the one before the current one when absent.
        command: What asked for it, for whoever waits for the lock meanwhile.
        and_then: Done once readers see it, before another writer can publish.

    Raises:
        UnknownRunError: No kept publication, or more than one, is of that run.
        RollbackError: There is none to go to, or it cannot be read.
        WarehouseBusyError: A night is running.
        OSError: The folder cannot be written.
    """
    if not warehouse.kept.is_dir():
        raise RollbackError(f"No publication is kept in {warehouse.kept}: run a night first.")
    with lock.hold(warehouse.lock, run_id="rollback", command=command, as_of="-") as held:
        edition = _chosen(warehouse, kept(warehouse), run_id)
        held.describe(run_id="rollback", as_of=str(edition.as_of))
        try:
            put_back(warehouse.published, warehouse.kept, edition)
        except PublicationError as error:
            raise RollbackError(str(error)) from error
        audit.record_rollback(warehouse.marts_file, edition.published_at, utc_now())
        and_then()
        held.finish("rolled back", f"readers see run {edition.run_id}")
    return edition


def _chosen(warehouse: Warehouse, found: Sequence[Kept], run_id: str | None) -> Edition:
    told = ", ".join(entry.edition.run_id for entry in found) or "none"
    if run_id is not None:
        matches = [entry.edition for entry in found if entry.edition.run_id.startswith(run_id)]
        if len(matches) != 1:
            many = "no" if not matches else "more than one"
            raise UnknownRunError(f"There is {many} kept publication of run {run_id}; kept are {told}.")
        return matches[0]
    current = next((number for number, entry in enumerate(found) if entry.is_current), None)
    if current is None:
        # a damaged file is often kept, too: the same file under a second name
        earlier = [entry for entry in found if _is_whole(warehouse, entry)]
    else:
        earlier = list(found[current + 1 :])
    if not earlier:
        raise RollbackError(
            f"No earlier publication is kept to go back to; kept are {told}; an erasure removes earlier ones."
        )
    return earlier[0].edition


def _is_whole(warehouse: Warehouse, entry: Kept) -> bool:
    """Whether a kept publication can be opened."""
    try:
        return summary.published_run(warehouse.kept / entry.edition.file_name) is not None
    except summary.DamagedFileError:
        return False
