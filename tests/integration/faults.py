"""What can happen to a night from outside, and what must be left of it: the harness of the fault tests.

Nights are the command `engagement nightly`, run in a forked child that has the imports already: the same
code, exit status and output as a process of its own, without the seconds of its start. What does NOT belong
here: what a fault should lead to.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

AS_OF = "2025-12-31"


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: Exit status, negative for a signal.
        said: What it printed, errors included.
    """

    status: int
    said: str


@dataclass(frozen=True)
class Company:
    """A raw zone and its warehouse.

    Attributes:
        raw: The raw zone.
        warehouse: Folder of the warehouse.
    """

    raw: Path
    warehouse: Path

    @property
    def published(self) -> Path:
        """What readers see."""
        return self.warehouse / "engagement.duckdb"

    def night(
        self,
        *arguments: str,
        as_of: str = AS_OF,
        environment: Mapping[str, str] | None = None,
        before: Callable[[], object] = lambda: None,
    ) -> Ended:
        """Run a night to its end.

        Args:
            arguments: More options.
            as_of: Snapshot date.
            environment: Variables of this night only.
            before: Done in the night's own process before it begins: the place for a planted fault.
        """
        named = ["--raw", str(self.raw), "--warehouse", str(self.warehouse), "--as-of", as_of]
        return run("nightly", *named, *arguments, environment=environment, before=before)

    def files(self) -> set[str]:
        """Every file of the warehouse but what dbt compiled, relative to it."""
        return {
            str(path.relative_to(self.warehouse))
            for path in self.warehouse.rglob("*")
            if path.is_file() and "dbt" not in path.relative_to(self.warehouse).parts
        }

    def copy_to(self, folder: Path) -> Company:
        """Return a copy of both."""
        shutil.copytree(self.raw, folder / "raw")
        shutil.copytree(self.warehouse, folder / "warehouse")
        return Company(folder / "raw", folder / "warehouse")


def run(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], object] = lambda: None,
) -> Ended:
    """Run a command `engagement` in a child process and wait for it."""
    from orchestration import dbt
    from orchestration.definitions import defs

    # what a child inherits it need not do
    defs()
    dbt.project()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        for descriptor in (1, 2):
            os.dup2(write, descriptor)
        _be_a_command(arguments, environment or {}, before)
    os.close(write)
    with os.fdopen(read, encoding="utf-8", errors="replace") as said:
        text = said.read()
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), text)


def _be_a_command(
    arguments: tuple[str, ...], environment: Mapping[str, str], before: Callable[[], object]
) -> None:
    """Become the command; neither pytest nor its output live on in here."""
    status = 99
    try:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        for name in [name for name in os.environ if name.startswith("ENGAGEMENT_")]:
            del os.environ[name]
        os.environ.update(environment)
        sys.argv = ["engagement", *arguments]
        before()
        from orchestration.cli import main

        main.main(list(arguments), prog_name="engagement")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def can_mount() -> bool:
    """Whether a file system of its own can be had."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


@dataclass(frozen=True)
class Disk:
    """A disk of its own, if one could be mounted.

    Attributes:
        folder: Where it is.
        is_mounted: Whether it is one, and not an ordinary folder.
    """

    folder: Path
    is_mounted: bool

    @contextmanager
    def filled_but_for(self, bytes_left: int) -> Iterator[None]:
        """Take away all room but a little."""
        ballast = self.folder / "ballast"
        free = shutil.disk_usage(self.folder).free
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - bytes_left)
        try:
            yield
        finally:
            ballast.unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int = 400) -> Iterator[Disk]:
    """Mount a small disk in memory; an ordinary folder for who may not."""
    folder.mkdir()
    if not can_mount():
        yield Disk(folder, is_mounted=False)
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=True)
    try:
        yield Disk(folder, is_mounted=True)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
