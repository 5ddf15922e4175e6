"""How numbers, days and names are written on the page.

What does NOT belong here: what the numbers mean.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

NOTHING = "\N{EN DASH}"
"""What stands where there is no number: nothing was counted, or the rate divides by zero."""

_MINUS = "\N{MINUS SIGN}"
_UNIT = "\u00a0"
"""A space at which no line breaks."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_THOUSANDS: tuple[tuple[int, str], ...] = ((1_000_000_000, "bn"), (1_000_000, "m"), (10_000, "k"))

Number = int | float | Decimal


def count(value: Number | None) -> str:
    """Return a whole number with separated thousands."""
    return NOTHING if value is None else f"{round(value):,}"


def short(value: Number) -> str:
    """Return a number in about four characters, for labels in charts."""
    value = float(value)
    for size, unit in _THOUSANDS:
        if abs(value) >= size:
            divisor = 1_000 if unit == "k" else size
            return f"{value / divisor:,.{1 if abs(value) < 10 * divisor else 0}f}{_UNIT}{unit}"
    return f"{round(value):,}"


def decimal(value: Number | None, places: int = 2) -> str:
    """Return a number with so many digits after the point."""
    return NOTHING if value is None else f"{float(value):,.{places}f}".replace("-", _MINUS)


def signed(value: Number | None, places: int = 2) -> str:
    """Return a number that says on which side of zero it lies."""
    return NOTHING if value is None else f"{float(value):+,.{places}f}".replace("-", _MINUS)


def percent(value: Number | None, places: int = 0) -> str:
    """Return a share of one as a percentage."""
    return NOTHING if value is None else f"{100 * float(value):,.{places}f}{_UNIT}%".replace("-", _MINUS)


def signed_percent(value: Number | None) -> str:
    """Return a change relative to one as a percentage with its sign."""
    return NOTHING if value is None else f"{100 * float(value):+,.0f}{_UNIT}%".replace("-", _MINUS)


def share(part: Number | None, whole: Number | None) -> float | None:
    """Return part / whole, or None where there is no whole."""
    return float(part) / float(whole) if part is not None and whole else None


def month(day: date) -> str:
    """Return the month of a day, e.g. `Jan 2025`."""
    return f"{_MONTHS[day.month - 1]} {day.year}"


def quarter(day: date) -> str:
    """Return the quarter of a day, e.g. `2025 Q1`."""
    return f"{day.year} Q{(day.month + 2) // 3}"


def moment(value: datetime | None) -> str:
    """Return a time (UTC) to the minute."""
    return NOTHING if value is None else f"{value:%Y-%m-%d %H:%M}"


def name(identifier: str) -> str:
    """Return an identifier as words, e.g. `active_days_90` as `Active days 90`."""
    words = identifier.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def span(label: str) -> str:
    """Return the name of a class such as `1-7` with the dash of a range."""
    return label.replace("-", "\N{EN DASH}")
