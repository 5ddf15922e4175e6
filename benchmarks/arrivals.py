"""Cuts a generated sample into a long history and two nights that arrive after it.

`python -m benchmarks.arrivals` reads the parts of a sample and writes one raw zone in which every table has
files `history-*`, `night-1` and `night-2`, each in the order of loading. A night holds the rows of one day,
and one late row for every hundred of them: an old one, that comes with it. The first night's day holds as
many rows as the average day, so that nights after histories of any length have as much to read; what comes
after the second night is left out. What does NOT belong here: measuring.
"""
# ruff: noqa: S608 - names are those of the raw contract, values are numbers and times.

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb

from benchmarks import shards
from orchestration.settings import PROJECT_ROOT
from warehouse.contract import RawTable, read_contract

HISTORY, FIRST, SECOND = "history", "night-1", "night-2"
BATCHES = (HISTORY, FIRST, SECOND)
LATE_SHARE = 0.01
# A day counts as average within this share of the average day's rows.
TOLERANCE = 0.02
ROWS_PER_FILE = 2_000_000

_LOADED_BY = time(2)
# Rows that the sample loads after a batch was read are moved into the batch, in their order: a year becomes
# five minutes.
_SHRUNK_BY = 100_000
_MEMORY_LIMIT = "4GB"
_HOUR = 3_600_000_000


@dataclass(frozen=True)
class Cut:
    """How a sample was cut.

    Attributes:
        first_on: Day of the first night; the history ends before it.
        rows: Rows of every batch, late ones included.
        late_rows: Rows of every batch that are older than its day.
    """

    first_on: date
    rows: Mapping[str, int]
    late_rows: Mapping[str, int]

    @property
    def night_share(self) -> float:
        """Rows of the first night's own day, as a share of all rows that are known after it."""
        day = self.rows[FIRST] - self.late_rows[FIRST]
        return day / (self.rows[HISTORY] + self.rows[FIRST])


def average_day(rows_per_day: Mapping[date, int], last_on: date, days: int) -> date:
    """Return the latest day that holds as many rows as the average one, with another day after it.

    Args:
        rows_per_day: Rows of every day; days outside the sample, which broken rows tell of, do not count.
        last_on: Last day of the sample.
        days: Length of the sample.

    Returns:
        The latest day within `TOLERANCE`; else the one closest to the average. Always in the younger half:
        an early day would leave no history.
    """
    backwards = [last_on - timedelta(days=back) for back in range(days)]
    average = sum(rows_per_day.get(day, 0) for day in backwards) / days
    off = {day: abs(rows_per_day.get(day, 0) / average - 1) for day in backwards[1 : days // 2]}
    return next((day for day in off if off[day] <= TOLERANCE), min(off, key=lambda day: off[day]))


def cut(parts: Sequence[Path], raw: Path, last_on: date, days: int) -> Cut:
    """Write the raw zone of a sample, cut into batches.

    Args:
        parts: Raw zones of its shards, the first one first.
        raw: Raw zone to write; must not be there.
        last_on: Last day of the sample.
        days: Length of the sample.
    """
    raw.mkdir(parents=True)
    contract = read_contract(PROJECT_ROOT)
    blocked = shards.blocked_values()
    rows = dict.fromkeys(BATCHES, 0)
    late = dict.fromkeys(BATCHES, 0)
    with duckdb.connect(config={"memory_limit": _MEMORY_LIMIT, "temp_directory": str(raw / ".spill")}) as db:
        db.execute("set TimeZone = 'UTC'")
        tables = [_Table(db, table, parts, blocked) for table in contract.values()]
        first_on = average_day(_rows_per_day(db, tables), last_on, days)
        for table in tables:
            for batch, (number, old) in table.write(raw / table.name, first_on).items():
                rows[batch] += number
                late[batch] += old
    return Cut(first_on, rows, late)


class _Table:
    """A raw table of a sample, with every row's time, and how it is read and written."""

    def __init__(
        self, db: duckdb.DuckDBPyConnection, table: RawTable, parts: Sequence[Path], blocked: Sequence[str]
    ) -> None:
        self.name = table.name
        self._table = table
        self.has_event_time = table.event_time is not None
        self._db = db
        if table.name in shards.COMMON_TABLES:
            parts = parts[:1]
        self._suffix = next(iter(sorted((parts[0] / table.name).iterdir()))).suffix
        scans = []
        for shard, part in enumerate(parts):
            scan = f"select * from {self._reader(part / table.name)}"
            there = {name for name, *_ in db.execute(f"describe {scan}").fetchall()}
            new = {
                column: expression
                for column, expression in shards.renamed(table, shard, blocked).items()
                if column in there
            }
            replaced = ", ".join(f"{expression} as {column}" for column, expression in new.items())
            scans.append(f"select * {f'replace ({replaced})' if replaced else ''} from ({scan})")
        self._rows = " union all by name ".join(f"({scan})" for scan in scans)
        types = {name: type_ for name, type_, *_ in db.execute(f"describe {self._rows}").fetchall()}
        self._loaded_type = types["loaded_at"]
        self._loaded = _instant("loaded_at", self._loaded_type)
        event = table.event_time or "loaded_at"
        self.event = _instant(event, types[event])
        self._key = ", ".join(table.key)

    def days(self) -> str:
        """Query of the day of every row."""
        return f"select cast({self.event} as date) as happened_on from ({self._rows})"

    def write(self, folder: Path, first_on: date) -> Mapping[str, tuple[int, int]]:
        """Write all batches; return the rows of each, and how many of them are late."""
        folder.mkdir()
        nights = [_midnight(first_on + timedelta(days=day)) for day in range(3)]
        batch = (
            f"case when coalesce({self.event} < {nights[0]}, true) then '{HISTORY}' "
            f"when {self.event} < {nights[1]} then '{FIRST}' "
            f"when {self.event} < {nights[2]} then '{SECOND}' end"
        )
        counted = self._db.execute(f"select {batch} as batch, count(*) from ({self._rows}) group by all")
        rows = {name: number for name, number in counted.fetchall() if name is not None}
        shares = [LATE_SHARE * rows.get(night, 0) / max(1, rows.get(HISTORY, 0)) for night in (FIRST, SECOND)]
        place = f"(hash({self._key}, 'late') / 18446744073709551616.0)"
        # the whole key: no version of a late row comes before it
        arrives_in = (
            f"case when {batch} <> '{HISTORY}' then {batch} when {place} < {shares[0]} then '{FIRST}' "
            f"when {place} < {sum(shares)} then '{SECOND}' else '{HISTORY}' end"
        )
        self._db.execute(
            f"create or replace temp view sorted_out as select *, {batch} as happened_in, "
            f"{arrives_in} as arrives_in, {self._loaded} as loaded "
            f"from ({self._rows}) where {batch} is not null"
        )
        written = {
            name: self._write_batch(folder, name, first_on + timedelta(days=day))
            for day, name in enumerate(BATCHES)
        }
        self._db.execute("drop view sorted_out")
        return written

    def _write_batch(self, folder: Path, name: str, read_on: date) -> tuple[int, int]:
        number, late, least, most = self._db.execute(
            f"select count(*), count(*) filter (happened_in <> arrives_in), min(loaded), max(loaded) "
            f"from sorted_out where arrives_in = '{name}'"
        ).fetchall()[0]
        copied = 0
        # a table without a row still has a file, with its columns
        files = max(-(-number // ROWS_PER_FILE), 1 if name == HISTORY else 0)
        read_at = datetime.combine(read_on, _LOADED_BY)
        for file in range(files):
            slice_ = "true"
            if files > 1:
                begin, end = (least + (most - least) * (file + border) / files for border in (0, 1))
                slice_ = f"loaded >= timestamp '{begin}'"
                slice_ += f" and loaded < timestamp '{end}'" if file + 1 < files else ""
            target = folder / (f"{name}-{file:04d}" if name == HISTORY else name)
            done = self._db.execute(
                f"copy (select * exclude (happened_in, arrives_in, loaded) "
                f"replace ({self._arrival(read_at)} as loaded_at) from sorted_out "
                f"where arrives_in = '{name}' and {slice_} order by loaded) "
                f"to '{_escaped(target)}{self._suffix}' ({_FORMATS[self._suffix]})"
            )
            copied += done.fetchall()[0][0]
        if copied != number:
            raise RuntimeError(f"{self.name}: of {number} rows of {name} only {copied} were written")
        return number, late

    def _arrival(self, read_at: datetime) -> str:
        """SQL of `loaded_at`: in time for the night that reads the row, in the same order as before."""
        cutoff = f"epoch_us(timestamp '{read_at}')"
        shrunk = f"cast(round((epoch_us(loaded) - {cutoff}) / {_SHRUNK_BY}.0) as bigint)"
        arrival = (
            f"case when happened_in <> arrives_in then make_timestamp({cutoff} - {_HOUR} + {shrunk}) "
            f"when epoch_us(loaded) > {cutoff} then make_timestamp({cutoff} + {shrunk}) else loaded end"
        )
        if self._loaded_type == "TIMESTAMP WITH TIME ZONE":
            return f"timezone('UTC', {arrival})"
        if self._loaded_type == "VARCHAR":
            return f"strftime({arrival}, '%Y-%m-%dT%H:%M:%S.%f+00:00')"
        return arrival

    def _reader(self, folder: Path) -> str:
        files = f"'{_escaped(folder)}/*{self._suffix}'"
        if self._suffix == ".parquet":
            return f"read_parquet({files}, union_by_name = true)"
        if self._suffix == ".csv":
            return f"read_csv({files}, all_varchar = true, union_by_name = true)"
        columns = ", ".join(f"{column.name}: 'varchar'" for column in self._table.columns)
        return f"read_json({files}, columns = {{{columns}}})"


_FORMATS = {
    ".parquet": "format parquet, compression zstd, compression_level 1",
    ".csv": "format csv, header",
    ".jsonl": "format json",
}


def _rows_per_day(db: duckdb.DuckDBPyConnection, tables: Sequence[_Table]) -> dict[date, int]:
    """Rows of every day, of all tables that are about events."""
    days = " union all ".join(table.days() for table in tables if table.has_event_time)
    counted = db.execute(
        f"select happened_on, count(*) from ({days}) where happened_on is not null group by 1"
    )
    return dict(counted.fetchall())


def _instant(column: str, type_: str) -> str:
    """SQL of a column's time as naive UTC; null where it cannot be read."""
    if type_ == "VARCHAR":
        return f"timezone('UTC', try_cast({column} as timestamptz))"
    # a cast would ask a calendar for every row
    return f"make_timestamp(epoch_us({column}))" if "ZONE" in type_ else f"cast({column} as timestamp)"


def _midnight(day: date) -> str:
    return f"timestamp '{day}'"


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")


def main() -> None:
    """Read the arguments, cut, write down how."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arrivals", description=__doc__)
    parser.add_argument("--parts", type=Path, nargs="+", required=True, help="raw zones of the shards")
    parser.add_argument("--raw", type=Path, required=True, help="raw zone to write")
    parser.add_argument("--last-on", type=date.fromisoformat, required=True, help="last day of the sample")
    parser.add_argument("--days", type=int, required=True, help="length of the sample")
    parser.add_argument("--summary", type=Path, required=True, help="file for what was written (JSON)")
    arguments = parser.parse_args()
    made = cut(arguments.parts, arguments.raw, arguments.last_on, arguments.days)
    arguments.summary.write_text(json.dumps(asdict(made), default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
