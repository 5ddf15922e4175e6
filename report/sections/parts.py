"""A whole in parts as a figure: tiers, stages, classes, contexts. Small parts are not shown.

What does NOT belong here: which whole, and where its numbers come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from report import charts, privacy, words
from report.content import Figure, Table


@dataclass(frozen=True)
class Part:
    """A part of a whole.

    Attributes:
        label: Its name.
        number: How much it is.
        customers: How many customers it is about; the number itself where customers are counted.
    """

    label: str
    number: int
    customers: int


@dataclass(frozen=True)
class Whole:
    """What is divided.

    Attributes:
        key: Name on the page.
        title: What is shown.
        parts_are: What a part is, as a heading.
        counted: What is counted, as a heading.
        axis_title: For ordered classes: what they are classes of; they stand side by side. Empty: parts lie
            below one another.
    """

    key: str
    title: str
    parts_are: str
    counted: str = "Customers"
    axis_title: str = ""


def of_customers(counts: Sequence[tuple[str, int]]) -> list[Part]:
    """Return parts of which each is so many customers."""
    return [Part(label, number, number) for label, number in counts]


def figure(whole: Whole, parts: Sequence[Part]) -> Figure | None:
    """Return the figure, or None where there are too few customers for any."""
    total = sum(part.number for part in parts)
    if not total or max(part.customers for part in parts) < privacy.LEAST:
        return None
    hide = privacy.hidden([part.customers for part in parts])
    shown = list(zip(parts, hide, strict=True))
    said = ", ".join(
        f"{part.label} {privacy.NOT_SHOWN if is_hidden else words.percent(part.number / total)}"
        for part, is_hidden in shown
    )
    description = f"{whole.title}. Of {words.count(total)} {whole.counted.lower()}: {said}."
    if whole.axis_title:
        bars = [
            charts.Bar(part.label, None, "·")
            if is_hidden
            else charts.Bar(part.label, part.number, words.short(part.number))
            for part, is_hidden in shown
        ]
        drawing = charts.columns(whole.key, whole.title, description, bars, whole.axis_title)
    else:
        bars = [
            charts.Bar(part.label, None, privacy.NOT_SHOWN)
            if is_hidden
            else charts.Bar(
                part.label, part.number, f"{words.short(part.number)}  ({words.percent(part.number / total)})"
            )
            for part, is_hidden in shown
        ]
        drawing = charts.bars(whole.key, whole.title, description, bars)
    rows = [
        (part.label, privacy.NOT_SHOWN, words.NOTHING)
        if is_hidden
        else (part.label, words.count(part.number), words.percent(part.number / total, 1))
        for part, is_hidden in shown
    ]
    headings = (whole.parts_are, whole.counted, "Share")
    return Figure(whole.key, whole.title, description, drawing, Table(whole.title, headings, rows))
