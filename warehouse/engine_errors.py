"""What the engine says of a fault, without the values that it quotes.

Its errors cite rows, and rows hold personal data: that has no place in the audit, which is published, nor in
logs and alerts. Names of tables, columns and files stay. What does NOT belong here: what a person can do
about a fault (`orchestration.advice`).
"""

from __future__ import annotations

import re

# Errors about values. Others, as that a table does not exist, quote names only.
_ABOUT_VALUES = re.compile(r"(?:Conversion|Constraint|Invalid Input|Out of Range) Error: ")
_OF_CSV = "CSV Error on Line"
# The line of a CSV file, which may itself have several lines, up to the last sentence about it: the row may
# say anything.
_ROW = re.compile(
    r"\n *Original Line: .*\n(?= *(?!Possible)[^\n ][^\n]*\n\s*Possible (?:fixes|Solution):)", re.DOTALL
)
_READER = re.compile(r"\s*\n *Possible (?:fixes|Solution):")
_STATEMENT = re.compile(r"\n *LINE \d+: [^\n]*\n *\^\s*$")
# Of all that stands in quotes or braces only the name of a file is known to be none of a row's.
_QUOTED = re.compile(r"""(?P<file>\bfile "[^"\n]*")|["'{](?:.*["'}]|.*)""", re.DOTALL)
_HIDDEN = "(hidden)"


def without_values(message: str) -> str:
    """Return a message of the engine without the values of rows that it quotes.

    Args:
        message: The message, in its own lines; something may stand before it.
    """
    found = _ABOUT_VALUES.search(message)
    if found is None:
        return message
    before, told = message[: found.start()], message[found.start() :]
    if _OF_CSV in told:
        return before + _hidden(_READER.split(_ROW.sub("\n", told), maxsplit=1)[0])
    # below the first line the value may stand once more
    return before + _hidden(_STATEMENT.sub("", told)).split("\n", 1)[0]


def _hidden(text: str) -> str:
    return _QUOTED.sub(lambda found: found["file"] or _HIDDEN, text)
