"""Small groups: no number on the page describes fewer than five customers.

What does NOT belong here: who may read the published file, which does name customers (by id).
"""

from __future__ import annotations

from collections.abc import Sequence

LEAST = 5
"""Customers that a number must at least be about."""

NOT_SHOWN = "not shown"
"""What stands in place of a number about fewer."""

WHY = f"Numbers about fewer than {LEAST} customers are not shown, nor what would tell them by subtraction."
"""The note under what is not shown."""


def is_small(customers: int | None) -> bool:
    """Return whether a group is too small to be described; nobody is no group."""
    return customers is not None and 0 < customers < LEAST


def hidden(parts: Sequence[int]) -> list[bool]:
    """Return which parts of a known whole are not to be shown.

    A single hidden part would be known by subtraction, so the smallest other parts are hidden with it until
    the hidden ones are `LEAST` customers together.

    Args:
        parts: Customers of each part.
    """
    hide = [is_small(part) for part in parts]
    while any(hide) and sum(part for part, is_hidden in zip(parts, hide, strict=True) if is_hidden) < LEAST:
        others = [position for position, part in enumerate(parts) if part and not hide[position]]
        if not others:
            break
        hide[min(others, key=lambda position: parts[position])] = True
    return hide
