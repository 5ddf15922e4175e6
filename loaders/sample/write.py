"""Turns frames into the files of a raw zone.

The only module that knows Arrow. A table is written sorted by loading time, as an append-only log grows, and
big tables in several files. Nothing here decides what a row says.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from loaders.sample.arrays import Ints, Values
from loaders.sample.clock import HOUR, MINUTE, Clock
from loaders.sample.frames import UNREADABLE_TIME, Column, Frame, Kind, Words, flag, time

FileFormat = Literal["parquet", "csv", "jsonl"]
TimeStyle = Literal["instant", "naive", "offset"]

ROWS_PER_FILE = 1_000_000
ROWS_PER_GROUP = 122_880
WRITERS = 2
UNREADABLE_TEXT = "sometime yesterday"

_SMALL_VOCABULARY = 1_000
_SERIAL_DIGITS = 7
_HEX_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


@dataclass(frozen=True)
class Layout:
    """How a table stands in files.

    Attributes:
        format: Kind of file.
        times: Aware instants; naive UTC; or texts with the offset of the home zone of the row's person. Text
            formats write instants with the offset of UTC.
    """

    format: FileFormat = "parquet"
    times: TimeStyle = "instant"


# Whatever is not named here is Parquet with time zone aware instants.
LAYOUTS: Mapping[str, Layout] = {
    "message_events": Layout(times="naive"),
    "coupon_redemptions": Layout(times="naive"),
    "store_visits": Layout("csv", "offset"),
    "community_events": Layout("jsonl", "offset"),
    "erasure_requests": Layout("jsonl", "instant"),
}


class Writer:
    """Writes frames below one folder."""

    def __init__(self, folder: Path, clock: Clock, zones: Ints, file_format: FileFormat) -> None:
        """Prepare to write.

        Args:
            folder: Where the folders of the tables go.
            clock: Gives the offsets of the home zones.
            zones: Home zone of each person.
            file_format: "parquet" writes each table as ``LAYOUTS`` says, the others write all tables as text.
        """
        self._folder = folder
        self._clock = clock
        self._zones = zones
        self._format = file_format
        self._arrays: dict[int, tuple[Words, Any]] = {}

    def raw_table(self, frame: Frame) -> None:
        """Write a raw table, oldest load first.

        Raises:
            OSError: The folder cannot be written.
        """
        layout = LAYOUTS.get(frame.table, Layout())
        if self._format != "parquet":
            layout = Layout(self._format, layout.times)
        folder = self._folder / frame.table
        folder.mkdir(parents=True)
        order = np.argsort(frame.loaded, kind="stable")
        has_tombstones = bool(np.any(frame.mark("deleted") > 0))
        for column in frame.columns.values():
            self._remember(column.words)

        def write(part: int) -> None:
            rows = order[part * ROWS_PER_FILE : (part + 1) * ROWS_PER_FILE]
            table = self._arrow(frame.table, self._complete(frame, rows, has_tombstones), frame, rows, layout)
            _SAVE[layout.format](table, folder / f"sample-{part:04d}.{layout.format}")

        parts = range(max(1, -(-len(frame) // ROWS_PER_FILE)))
        with ThreadPoolExecutor(WRITERS) as pool:
            for _ in pool.map(write, parts):
                pass

    def truth_table(self, name: str, parts: Sequence[Frame]) -> None:
        """Write a truth table, its parts below one another, as Parquet with naive UTC times.

        Raises:
            OSError: The folder cannot be written.
        """
        folder = self._folder / "_truth"
        folder.mkdir(parents=True, exist_ok=True)
        tables = list(self._truth(parts))
        schema = tables[0].schema
        with pq.ParquetWriter(
            folder / f"{name}.parquet", schema, compression="zstd", store_schema=False
        ) as file:
            for table in tables:
                file.write_table(table, row_group_size=ROWS_PER_GROUP)

    def _truth(self, parts: Sequence[Frame]) -> Iterator[Any]:
        for part in parts:
            everything = np.arange(len(part))
            arrays = {
                name: self._plain(self._array(column, everything, part, Layout(times="naive")))
                for name, column in part.columns.items()
            }
            yield pa.table(arrays)

    def _plain(self, array: Any) -> Any:
        """Texts themselves instead of a dictionary of them, so that all parts have one type."""
        return array.dictionary_decode() if isinstance(array, pa.DictionaryArray) else array

    def _complete(self, frame: Frame, rows: Ints, has_tombstones: bool) -> Mapping[str, Column]:
        """Columns of some rows, with the two that every raw table shares at the end."""
        columns = {name: column.take(rows) for name, column in frame.columns.items()}
        if has_tombstones:
            columns["is_deleted"] = flag(np.take(frame.mark("deleted"), rows))
        columns["loaded_at"] = time(np.take(frame.loaded, rows))
        return columns

    def _arrow(
        self, table: str, columns: Mapping[str, Column], frame: Frame, rows: Ints, layout: Layout
    ) -> Any:
        return pa.table({name: self._array(column, rows, frame, layout) for name, column in columns.items()})

    def _remember(self, words: Words | None) -> None:
        if words is not None and id(words) not in self._arrays:
            self._arrays[id(words)] = (words, pa.array(words.texts, type=pa.string()))

    def _is_vocabulary(self, words: Words | None) -> bool:
        """Whether the words may become a Parquet dictionary as they are: few, and none of them twice."""
        texts = words.texts if words is not None else ()
        return len(texts) <= _SMALL_VOCABULARY and len(set(texts)) == len(texts)

    def _array(self, column: Column, rows: Ints, frame: Frame, layout: Layout) -> Any:
        """Arrow array of a column's values, which are those of the given rows of the frame."""
        values = column.values
        if column.kind is Kind.HEX:
            return _hexadecimal(values)
        if column.kind is Kind.DATE:
            return pa.array(values.astype("datetime64[D]"))
        nulls = column.nulls()
        if column.kind is Kind.TEXT:
            self._remember(column.words)
            words = self._arrays[id(column.words)][1]
            codes = pa.array(values, mask=nulls)
            if layout.format == "parquet" and self._is_vocabulary(column.words):
                return pa.DictionaryArray.from_arrays(codes, words)
            return pc.take(words, codes)
        if column.kind is Kind.SERIAL:
            digits = pc.utf8_lpad(pc.cast(pa.array(values, mask=nulls), pa.string()), _SERIAL_DIGITS, "0")
            return pc.binary_join_element_wise(column.prefix, digits, "")
        if column.kind is Kind.TIME:
            return self._times(values, nulls, rows, frame, layout)
        if column.kind is Kind.FLAG:
            return pa.array(values > 0, mask=nulls)
        return pa.array(values, mask=nulls)

    def _times(self, values: Values, nulls: Values, rows: Ints, frame: Frame, layout: Layout) -> Any:
        if layout.format == "parquet":
            zone = None if layout.times == "naive" else "UTC"
            return pa.array(values, mask=nulls).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz=zone))
        readable = np.where(values <= UNREADABLE_TIME, 0, values)
        offsets = np.zeros(len(values), dtype=np.int64)
        if layout.times == "offset":
            people = np.maximum(np.take(frame.mark("person"), rows), 0)
            offsets = self._clock.offset(readable, self._zones[people])
        texts = np.datetime_as_string((readable + offsets).astype("datetime64[us]"))
        if layout.times != "naive":
            texts = np.char.add(texts, _suffixes(offsets))
        array = np.where(values == UNREADABLE_TIME, UNREADABLE_TEXT, texts)
        return pa.array(array, mask=nulls)


def _suffixes(offsets: Ints) -> Values:
    """Offsets as ``+01:00``."""
    distinct, places = np.unique(offsets, return_inverse=True)
    names = [
        f"{'-' if offset < 0 else '+'}{abs(offset) // HOUR:02d}:{abs(offset) % HOUR // MINUTE:02d}"
        for offset in distinct.tolist()
    ]
    return np.array(names, dtype="U6")[places]


def _hexadecimal(values: Values) -> Any:
    """Sixteen hexadecimal digits per number, without a Python object per row."""
    octets = values.astype(">u8").view(np.uint8)
    digits = np.empty(len(octets) * 2, dtype=np.uint8)
    digits[0::2] = _HEX_DIGITS[octets >> 4]
    digits[1::2] = _HEX_DIGITS[octets & 15]
    ends = np.arange(len(values) + 1, dtype=np.int32) * 16
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(digits))


def _save_parquet(table: Any, path: Path) -> None:
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=1,
        row_group_size=ROWS_PER_GROUP,
        store_schema=False,
    )


def _save_csv(table: Any, path: Path) -> None:
    pa_csv.write_csv(table, path)


def _save_jsonl(table: Any, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in table.to_pylist():
            known = {name: value for name, value in row.items() if value is not None}
            file.write(json.dumps(known, ensure_ascii=False, default=str) + "\n")


_SAVE: Mapping[FileFormat, Callable[[Any, Path], None]] = {
    "parquet": _save_parquet,
    "csv": _save_csv,
    "jsonl": _save_jsonl,
}
