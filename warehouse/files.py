"""How files are copied, and how one takes the place of another, whole or not at all.

What does NOT belong here: what stands in the file, and how a publication is kept (`warehouse.publication`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Linux's request to share another file's blocks until one of the two is written, ioctl_ficlone(2).
_CLONE = 0x40049409
# What is said by a file system that cannot, by two that are not the same one, and by other kernels.
_NO_CLONES = frozenset({errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS})


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


def copy(source: Path, target: Path) -> None:
    """Copy a file's content, at no cost where the file system can share it (XFS, Btrfs).

    Args:
        source: A file that nobody writes meanwhile.
        target: Its copy; it is overwritten where it exists.

    Raises:
        OSError: The source cannot be read, the disk is full or the folder cannot be written.
    """
    with source.open("rb") as content, target.open("wb") as twin:
        try:
            fcntl.ioctl(twin.fileno(), _CLONE, content.fileno())
            return
        except OSError as error:
            if error.errno not in _NO_CLONES:
                raise
    shutil.copyfile(source, target)


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
