"""Raw tables under construction: typed columns plus what is true of each row.

A frame becomes files in ``write`` and truth in ``truth``; it knows nothing of either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np

from loaders.sample.arrays import Bools, Ints, Values

NULL_TIME = np.iinfo(np.int64).min
UNREADABLE_TIME = NULL_TIME + 1


class Kind(Enum):
    """How the values of a column are stored and what they become in a file."""

    TEXT = "codes into words, -1 is null"
    SERIAL = "numbers behind a prefix, -1 is null"
    HEX = "unsigned 64-bit numbers in hexadecimal"
    TIME = "microseconds UTC"
    DATE = "days since the epoch"
    NUMBER = "floats, NaN is null"
    INTEGER = "whole numbers, -1 is null"
    FLAG = "0, 1, or -1 for null"


@dataclass(frozen=True, eq=False)
class Words:
    """The distinct texts that a text column points into; compared by identity, so that one can be cached."""

    texts: Sequence[str]

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.texts)


@dataclass(frozen=True, eq=False)
class Column:
    """One column.

    Attributes:
        kind: How to read ``values``.
        values: One stored value per row.
        words: The texts behind a TEXT column.
        prefix: Text before the number of a SERIAL column; says what kind of thing is numbered.
    """

    kind: Kind
    values: Values
    words: Words | None = None
    prefix: str = ""

    def take(self, rows: Ints) -> "Column":
        """The column at the given rows."""
        return replace(self, values=np.take(self.values, rows))

    def but_codes(self, code: int) -> "Column":
        """The column with the same word, or null, in every row."""
        return replace(self, values=np.full_like(self.values, code))

    def as_codes(self, dtype: type[np.signedinteger[Any]]) -> "Column":
        """The column with its values stored in a smaller type."""
        return replace(self, values=self.values.astype(dtype))

    def followed_by(self, others: Sequence["Column"]) -> "Column":
        """The column with the rows of columns of the same kind and words below it."""
        texts = self.words
        parts = [self.values]
        for other in others:
            if other.kind is not self.kind or other.prefix != self.prefix:
                raise ValueError(f"Cannot put a {other.kind} column below a {self.kind} column")
            shift = 0
            if texts is None:
                texts = other.words
            elif other.words is not None and other.words is not texts:
                shift = len(texts)
                texts = Words([*texts.texts, *other.words.texts])
            parts.append(np.where(other.values < 0, -1, other.values + shift) if shift else other.values)
        return replace(self, values=np.concatenate(parts), words=texts)

    def nulls(self) -> Bools:
        """Which rows are null."""
        if self.kind is Kind.NUMBER:
            return np.isnan(self.values)
        if self.kind is Kind.TIME:
            return np.asarray(self.values == NULL_TIME)
        if self.kind in (Kind.HEX, Kind.DATE):
            return np.zeros(len(self.values), dtype=np.bool_)
        return np.asarray(self.values < 0)


def text(codes: Values, words: Words | Sequence[str]) -> Column:
    """Text column of codes into words; -1 is null."""
    return Column(Kind.TEXT, codes, words if isinstance(words, Words) else Words(words))


def constant(word: str, rows: int) -> Column:
    """Text column that says the same in every row."""
    return text(np.zeros(rows, dtype=np.int8), [word])


def serial(prefix: str, numbers: Values) -> Column:
    """Text column ``<prefix><number>``; -1 is null."""
    return Column(Kind.SERIAL, numbers, prefix=prefix)


def time(instants: Values) -> Column:
    """Point-in-time column; ``NULL_TIME`` is null."""
    return Column(Kind.TIME, instants)


def number(values: Values) -> Column:
    """Floating point column; NaN is null."""
    return Column(Kind.NUMBER, values)


def integer(values: Values) -> Column:
    """Column of whole numbers of at least 0; -1 is null."""
    return Column(Kind.INTEGER, values)


def flag(values: Values) -> Column:
    """Boolean column from a mask, or from 0, 1 and -1 for null."""
    return Column(Kind.FLAG, values.astype(np.int8))


def where(mask: Bools, values: Values, otherwise: int | float = -1) -> Values:
    """Values where the mask holds, else the value that stands for null."""
    return np.where(mask, values, np.asarray(otherwise, dtype=values.dtype))


# What is true of a row, unless a frame says otherwise: nobody's, not prompted, not deleted, no broken rule.
MARKS: Mapping[str, int] = {"person": -1, "touch": -1, "explicit": 0, "deleted": 0, "rule": -1, "fixed": 0}


@dataclass(frozen=True)
class Frame:
    """A raw table with the truth about each of its rows.

    Attributes:
        table: Name in the raw contract.
        key: Names of the key columns.
        columns: The contract's columns that the sample fills, without ``loaded_at`` and ``is_deleted``.
        loaded: Loading time of each row.
        marks: Truth per row, names as in ``MARKS``: the true person, the touch that prompted it, whether the
            record itself says so, whether it is a tombstone, which quarantine rule it breaks, and whether
            later steps must leave it alone, as it ties identities or belongs to a history of versions.
        traits: Named kinds of rows (duplicate, bot, late, ...) as masks.
    """

    table: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    loaded: Ints
    marks: Mapping[str, Values] = field(default_factory=dict)
    traits: Mapping[str, Bools] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse columns of unequal length, which numpy would only notice much later.

        Raises:
            ValueError: A column, mark or trait does not have one value per row.
        """
        lengths = {name: len(column.values) for name, column in self.columns.items()}
        lengths |= {name: len(values) for name, values in {**self.marks, **self.traits}.items()}
        wrong = {name: length for name, length in lengths.items() if length != len(self)}
        if wrong:
            raise ValueError(f"{self.table} has {len(self)} rows, but {wrong}")

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.loaded)

    def mark(self, name: str) -> Values:
        """Truth of every row, the default of ``MARKS`` where the frame is silent."""
        if name in self.marks:
            return self.marks[name]
        return np.full(len(self), MARKS[name], dtype=np.int64)

    def trait(self, name: str) -> Bools:
        """Mask of a kind of rows; all false where the frame has none."""
        return self.traits.get(name, np.zeros(len(self), dtype=np.bool_))

    def take(self, rows: Ints) -> "Frame":
        """The frame at the given rows."""
        return replace(
            self,
            columns={name: column.take(rows) for name, column in self.columns.items()},
            loaded=np.take(self.loaded, rows),
            marks={name: np.take(values, rows) for name, values in self.marks.items()},
            traits={name: np.take(mask, rows) for name, mask in self.traits.items()},
        )

    def but(
        self,
        *,
        columns: Mapping[str, Column] | None = None,
        loaded: Ints | None = None,
        marks: Mapping[str, Values] | None = None,
        traits: Mapping[str, Bools] | None = None,
    ) -> "Frame":
        """The frame with some columns, marks or traits replaced or added."""
        return replace(
            self,
            columns={**self.columns, **(columns or {})},
            loaded=self.loaded if loaded is None else loaded,
            marks={**self.marks, **(marks or {})},
            traits={**self.traits, **(traits or {})},
        )

    def followed_by(self, *others: "Frame") -> "Frame":
        """The frame with the rows of others below it; they have the same columns."""
        frames = (self, *others)
        marks = {name for frame in frames for name in frame.marks}
        traits = {name for frame in frames for name in frame.traits}
        return replace(
            self,
            columns={
                name: column.followed_by([other.columns[name] for other in others])
                for name, column in self.columns.items()
            },
            loaded=np.concatenate([frame.loaded for frame in frames]),
            marks={name: np.concatenate([frame.mark(name) for frame in frames]) for name in sorted(marks)},
            traits={name: np.concatenate([frame.trait(name) for frame in frames]) for name in sorted(traits)},
        )


def with_versions(
    frame: Frame, rows: Ints, earlier: Mapping[str, Column], earlier_loaded: Ints, later_loaded: Ints
) -> Frame:
    """Give rows a first version that knew less, as an append-only log holds it.

    Args:
        frame: Rows in their final state.
        rows: Which of them were loaded twice.
        earlier: What the first versions said otherwise, one value per entry of ``rows``.
        earlier_loaded: When the first versions were loaded.
        later_loaded: When the final versions were loaded, later than the first ones.
    """
    final_loaded = frame.loaded.copy()
    final_loaded[rows] = later_loaded
    is_versioned = np.zeros(len(frame), dtype=np.bool_)
    is_versioned[rows] = True
    first = frame.take(rows).but(
        columns=earlier,
        loaded=earlier_loaded,
        marks={"fixed": np.ones(len(rows), dtype=np.int64)},
        traits={"first_version": np.ones(len(rows), dtype=np.bool_)},
    )
    final = frame.but(
        loaded=final_loaded,
        marks={"fixed": is_versioned.astype(np.int64)},
        traits={"updated": is_versioned},
    )
    return final.followed_by(first)
