"""What a page is made of: plain values between the sections that fill them and the template that shows them.

What does NOT belong here: HTML, SQL, and how a number is written (`report.words`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What stands in it.
        heat: Share of the colour behind it, 0 to 1; None for none.
        is_below: Whether the colour is that of the lower side of a middle.
    """

    text: str
    heat: float | None = None
    is_below: bool = False


@dataclass(frozen=True)
class Table:
    """A table; the first column heads its rows.

    Attributes:
        caption: What it is about.
        headings: One a column.
        rows: Cells or plain texts, each row as long as the headings.
        text_columns: Positions of the columns that hold words, and are therefore not set to the right.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    text_columns: frozenset[int] = frozenset({0})


@dataclass(frozen=True)
class Figure:
    """A chart, what it says in words, and the numbers behind it.

    Attributes:
        key: Name on the page, unique.
        title: What is shown.
        description: What a person who does not see the chart should know.
        drawing: The SVG.
        table: The same numbers.
    """

    key: str
    title: str
    description: str
    drawing: Markup
    table: Table


@dataclass(frozen=True)
class Card:
    """A headline number."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Section:
    """What stands under a heading of the page.

    Attributes:
        lede: What it says, in a sentence or two.
        cards: Headline numbers.
        figures: Charts.
        pairs: Charts that have a table of their own beside them, if there is enough to put into one.
        tables: Tables that are shown as such.
        notes: How to read it; what is missing, and why.
    """

    lede: str = ""
    cards: Sequence[Card] = field(default_factory=tuple)
    figures: Sequence[Figure] = field(default_factory=tuple)
    pairs: Sequence[tuple[Figure, Table | None]] = field(default_factory=tuple)
    tables: Sequence[Table] = field(default_factory=tuple)
    notes: Sequence[str] = field(default_factory=tuple)
