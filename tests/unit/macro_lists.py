"""The lists of names that dbt macros return, read from their text."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def names_from(file: str, macro: str) -> list[str]:
    """The names that a macro without arguments in a file of macros/ returns."""
    text = (PROJECT / "macros" / file).read_text(encoding="utf-8")
    body = re.search(rf"macro {macro}\(\)(.*?)endmacro", text, re.DOTALL)
    assert body, f"macros/{file} has no macro {macro}()"
    return re.findall(r'"(\w+)"', body.group(1))
