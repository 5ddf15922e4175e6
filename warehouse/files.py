"""How a file takes the place of another one, whole or not at all.

What does NOT belong here: what stands in the file, and how a publication is kept (`warehouse.publication`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(target: Path, mode: int) -> Iterator[Path]:
    """Hand out a file beside the target that takes its place once written; a failure leaves nothing.

    What a process that was killed has left behind is removed, too. Until it stands in its place the file is
    its owner's alone.

    Args:
        target: The file to replace; it need not exist.
        mode: Its permissions afterwards.

    Raises:
        OSError: The disk is full or the folder cannot be written.
    """
    for left in target.parent.glob(f".{target.name}.*.writing"):
        if not _is_alive(left.suffixes[-2][1:]):
            left.unlink(missing_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.writing")
    try:
        temporary.touch(mode=0o600)
        yield temporary
        temporary.chmod(mode)
        flush(temporary)
        temporary.replace(target)
        flush(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Have the disk itself hold a file's, or a folder's, content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        # somebody else's
        return True
    return True
