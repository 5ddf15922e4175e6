"""Reads the ready questions from their page, and writes their results into it.

What does NOT belong here: the questions themselves (`docs/questions.md`), and the data they are asked of.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

PAGE = Path(__file__).resolve().parents[2] / "docs" / "questions.md"

_ANSWERED = re.compile(
    r"^## (?P<title>[^\n]+)\n(?P<words>(?:(?!^## ).)*?)"
    r"^```sql\n(?P<sql>.*?)^```\n(?P<result>(?:\n(?:\|[^\n]*\n)+)?)",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Question:
    """A question, the SQL that answers it, and the result that the page shows (empty without one)."""

    title: str
    sql: str
    result: str


def questions(text: str) -> Iterator[Question]:
    """Read the questions of a page."""
    for found in _ANSWERED.finditer(text):
        yield Question(found["title"], found["sql"], found["result"].strip())


def rewritten(text: str, answer: Callable[[str], str]) -> str:
    """Return the page with every result replaced by that of its SQL."""

    def replaced(found: re.Match[str]) -> str:
        kept = found[0].removesuffix(found["result"])
        return f"{kept}\n{answer(found['sql'])}\n"

    return _ANSWERED.sub(replaced, text)


def answered(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return the result of a query as a Markdown table; numbers stand to the right."""
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    rows = cursor.fetchall()
    are_numbers = [any(_is_number(row[position]) for row in rows) for position in range(len(names))]
    lines = [names, ["---:" if is_number else "---" for is_number in are_numbers]]
    lines += [[_said(value) for value in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _said(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value == 0:
        return "0.0"  # of a negative number as of a positive
    return str(value)
