"""Histories: nights with their snapshot dates, and what a raw zone gains, changes and loses before each.

`histories()` draws them, `replay` lets a warehouse live through one. A history is plain data: it can be
printed, kept and made smaller (`smallest`). What does NOT belong here: what rows say (`raw_rows`).
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
from bare_nights import BareWarehouse
from hypothesis import strategies as st
from nights import PROJECT
from raw_rows import WEIGHTED_TABLES, Setting, Values, draw_row, night_of

from warehouse.contract import read_contract

CONTRACT: Final = read_contract(PROJECT)
FIRST_SNAPSHOT: Final = date(2024, 1, 30)
TIME_ZONES: Final = ("UTC", "America/New_York", "Asia/Kolkata")
# How far a night's snapshot lies after that of the night before, in days.
STEPS: Final = (0, 1, 1, 1, 2, 7, 31, 60, 400, 800)
FORMATS: Final = ("jsonl", "csv", "parquet", "typed.parquet")


@dataclass(frozen=True)
class Arrival:
    """A row and how it arrives.

    Attributes:
        table: Raw table.
        values: What it says.
        night: Night before which it arrives, counted from 0.
        file: Number of the file, within its table and night.
    """

    table: str
    values: Values
    night: int = 0
    file: int = 0

    def path(self, formats: Sequence[str]) -> str:
        """Return the path of its file below the raw zone."""
        return f"{self.table}/{self.night}-{self.file}.{formats[self.file % len(formats)]}"


@dataclass(frozen=True)
class Tampering:
    """Somebody changes a file of an earlier night, or takes it away.

    Attributes:
        night: Night before which it is done.
        file: Which of the files that are there then.
        is_removed: Whether the file goes; otherwise every other of its rows does.
    """

    night: int
    file: int
    is_removed: bool


@dataclass(frozen=True)
class History:
    """Everything that happens to a raw zone and its warehouse.

    Attributes:
        snapshots: Snapshot date of every night.
        arrivals: The rows.
        tamperings: What is done to files that have arrived.
        repeated: Nights that are run twice.
        killed: Night to the number of models after which it is killed, before it is run again.
        time_zone: Business time zone.
        formats: Format of file 0, 1, ... of a table and night.
    """

    snapshots: Sequence[date]
    arrivals: Sequence[Arrival]
    tamperings: Sequence[Tampering] = ()
    repeated: Sequence[int] = ()
    killed: Mapping[int, int] = field(default_factory=dict)
    time_zone: str = "UTC"
    formats: Sequence[str] = ("jsonl",)

    def __str__(self) -> str:
        """Tell it night by night, in the order in which things happen."""
        told = [f"business time zone {self.time_zone}, files {', '.join(self.formats)}"]
        for night, snapshot in enumerate(self.snapshots):
            told.append(f"night {night} of {snapshot}")
            if night in self.killed:
                told[-1] += f", first killed after {self.killed[night]} models"
            if night in self.repeated:
                told[-1] += ", run twice"
            for tampering in self.tamperings:
                if tampering.night == night:
                    told.append(f"  file {tampering.file} {'goes' if tampering.is_removed else 'is halved'}")
            for arrival in self.arrivals:
                if arrival.night == night:
                    told.append(f"  {arrival.path(self.formats)}: {arrival.values}")
        return "\n".join(told)

    def as_json(self) -> str:
        """Write it down, for `from_json`."""
        content = {
            **vars(self),
            "snapshots": [day.isoformat() for day in self.snapshots],
            "arrivals": [vars(arrival) for arrival in self.arrivals],
            "tamperings": [vars(tampering) for tampering in self.tamperings],
        }
        return json.dumps(content, indent=1)

    @staticmethod
    def from_json(text: str) -> History:
        """Read what `as_json` wrote."""
        content: dict[str, Any] = json.loads(text)
        content["snapshots"] = [date.fromisoformat(day) for day in content["snapshots"]]
        content["arrivals"] = [Arrival(**arrival) for arrival in content["arrivals"]]
        content["tamperings"] = [Tampering(**tampering) for tampering in content["tamperings"]]
        content["killed"] = {int(night): models for night, models in content["killed"].items()}
        return History(**content)


@st.composite
def histories(draw: st.DrawFn, nights: tuple[int, int] = (3, 6), are_killed: bool = False) -> History:
    """Draw a history: which rows there are is hypothesis's choice, what they say follows from one seed.

    Args:
        draw: Hypothesis's.
        nights: Least and greatest number of nights.
        are_killed: Whether some nights are killed and run again.
    """
    steps = draw(st.lists(st.sampled_from(STEPS), min_size=nights[0] - 1, max_size=nights[1] - 1))
    snapshots = [FIRST_SNAPSHOT]
    for step in steps:
        snapshots.append(snapshots[-1] + timedelta(days=step))
    setting = Setting(
        seed=draw(st.integers(0, 2**32)),
        people=draw(st.integers(2, 6)),
        time_zone=draw(st.sampled_from(TIME_ZONES)),
        snapshots=snapshots,
    )
    chosen = draw(
        st.lists(
            st.tuples(st.sampled_from(WEIGHTED_TABLES), st.integers(0, 60)),
            min_size=20,
            max_size=160,
            unique=True,
        )
    )
    later = st.integers(1, len(snapshots) - 1)
    kills = st.dictionaries(later, st.integers(0, 130), min_size=1, max_size=2)
    return History(
        snapshots=snapshots,
        arrivals=[
            Arrival(table, draw_row(setting, table, index), night_of(setting, table, index), index % 3)
            for table, index in sorted(chosen)
        ],
        tamperings=draw(st.lists(st.builds(Tampering, later, st.integers(0, 60), st.booleans()), max_size=2)),
        repeated=draw(st.lists(st.integers(0, len(snapshots) - 1), max_size=1)),
        killed=draw(kills) if are_killed else {},
        time_zone=setting.time_zone,
        formats=draw(st.lists(st.sampled_from(FORMATS), min_size=1, max_size=3)),
    )


def replay(history: History, folder: Path) -> BareWarehouse:
    """Let a warehouse live through a history.

    Args:
        history: The history.
        folder: Where warehouse and raw zone shall stand.

    Returns:
        The warehouse after the last night.
    """
    warehouse = BareWarehouse(folder, history.time_zone)
    for night, snapshot in enumerate(history.snapshots):
        land(history, night, warehouse.raw)
        if night in history.killed:
            warehouse.killed_night(snapshot, is_the_end=_after(history.killed[night]))
        warehouse.night(snapshot)
        if night in history.repeated:
            warehouse.night(snapshot)
    return warehouse


def _after(models: int) -> Callable[[str], bool]:
    """Return what is true once more than that many models are built; a night of fewer comes to its end."""
    built = itertools.count(1)
    return lambda _name: next(built) > models


def full_refresh(history: History, folder: Path, raw: Path) -> BareWarehouse:
    """Build a warehouse at once, of what a raw zone holds after a history."""
    warehouse = BareWarehouse(folder, history.time_zone, raw)
    warehouse.night(history.snapshots[-1], is_full_refresh=True)
    return warehouse


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder, in memory where the system has such a place: nights write much and keep nothing."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def land(history: History, night: int, raw: Path) -> None:
    """Do to the raw zone what happens before a night."""
    if night == 0:
        # a zone without any file of a known table would stop the night
        _write(raw / "store_visits" / "none.csv", "store_visits", [])
    there = sorted(path for path in raw.rglob("*-*") if path.is_file())
    for tampering in history.tamperings:
        if tampering.night == night and there:
            _tamper(history, tampering, there, raw)
    files: dict[str, list[Arrival]] = {}
    for arrival in history.arrivals:
        if arrival.night == night:
            files.setdefault(arrival.path(history.formats), []).append(arrival)
    for path, arrivals in files.items():
        _write(raw / path, arrivals[0].table, [arrival.values for arrival in arrivals])


def _tamper(history: History, tampering: Tampering, there: Sequence[Path], raw: Path) -> None:
    path = there[tampering.file % len(there)]
    if tampering.is_removed:
        path.unlink(missing_ok=True)
        return
    name = str(path.relative_to(raw))
    arrivals = [arrival for arrival in history.arrivals if arrival.path(history.formats) == name]
    _write(path, arrivals[0].table, [arrival.values for arrival in arrivals[::2]])


def _write(path: Path, table: str, rows: Sequence[Values]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    contract = CONTRACT[table]
    used = {column for row in rows for column in row} | set(contract.required)
    columns = [column.name for column in contract.columns if column.name in used]
    if path.suffix == ".jsonl":
        written = [{column: row.get(column, "") for column in contract.required} | row for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in written), encoding="utf-8")
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    if path.suffix == ".csv":
        path.write_text(text.getvalue(), encoding="utf-8")
        return
    types = {column.name: column.data_type for column in contract.columns}
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        staged = path.with_name(f"_{path.name}.csv")
        staged.write_text(text.getvalue(), encoding="utf-8")
        connection.execute(
            "create table landed as"
            f" from read_csv('{staged}', header = true, all_varchar = true, delim = ',')"
        )
        staged.unlink()
        if path.name.endswith(".typed.parquet"):
            # as a loader that knows its types would; a column with a value that is none stays text
            for column in columns:
                type_ = types[column].replace("decimal", "decimal(18, 4)").replace("integer", "bigint")
                if type_ != "varchar" and _all_readable(connection, column, type_):
                    connection.execute(
                        f"alter table landed alter {column} type {type_} using try_cast({column} as {type_})"
                    )
        connection.execute(f"copy landed to '{path}' (format parquet)")


def _all_readable(connection: duckdb.DuckDBPyConnection, column: str, type_: str) -> bool:
    row = connection.execute(
        f"select count(*) filter ({column} is not null and try_cast({column} as {type_}) is null) from landed"
    ).fetchone()
    return row == (0,)


def smallest(history: History, fails: Callable[[History], bool]) -> History:
    """Leave out what a failure does not need: rows in halves, quarters, ... and one by one, then the rest.

    Args:
        history: A history that fails.
        fails: Whether another one does as well.
    """
    plain = {"tamperings": (), "repeated": (), "killed": {}, "formats": ("jsonl",), "time_zone": "UTC"}
    for name, value in plain.items():
        simpler = replace(history, **{name: value})
        if simpler != history and fails(simpler):
            history = simpler
    size = len(history.arrivals) // 2
    while size:
        start = 0
        while start < len(history.arrivals):
            kept = [*history.arrivals[:start], *history.arrivals[start + size :]]
            fewer = replace(history, arrivals=kept)
            if fails(fewer):
                history = fewer
            else:
                start += size
        size = min(size // 2, len(history.arrivals) // 2)
    return history


def main(path: Path, folder: Path) -> None:
    """Make a history in a file smaller as long as it fails, and print what is left."""
    from differences import describe, differences

    def fails(history: History) -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        lived = replay(history, folder / "lived")
        full = full_refresh(history, folder / "full", lived.raw)
        return bool(differences(lived.place.marts_file, full.place.marts_file))

    history = smallest(History.from_json(path.read_text(encoding="utf-8")), fails)
    fails(history)
    found = differences(
        folder / "lived" / "warehouse" / "build" / "engagement.duckdb",
        folder / "full" / "warehouse" / "build" / "engagement.duckdb",
    )
    path.with_suffix(".smallest.json").write_text(history.as_json(), encoding="utf-8")
    print(history, describe(found), sep="\n\n")  # noqa: T201 - a program


if __name__ == "__main__":
    import sys

    main(Path(sys.argv[1]), Path(sys.argv[2]))
