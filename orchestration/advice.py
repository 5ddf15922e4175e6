"""What a person can do about what the engine and the disk say: one sentence, with the name of the setting.

The engine's own advice names settings that are not ours. What does NOT belong here: faults of data (gates say
what is wrong with them) and of code.
"""

from __future__ import annotations

import re

from orchestration.settings import PREFIX, Settings

_MEMORY = re.compile(r"Out of Memory Error|OutOfMemoryException|failed to (?:pin|allocate|offload)")
_DISK = re.compile(r"No space left on device|\[Errno (?:28|122)\]|Disk quota exceeded")
_DAMAGED = re.compile(r"Corrupt database file|not a valid DuckDB database file|database has been invalidated")
_ENGINE_ADVICE = re.compile(
    r"\s*(?:Possible solutions:|See also https?:|\* (?:Reducing|Disabling|Increasing)).*$"
)
# The same fault in many models is one fault.
_LINES = 5


def advised(message: str, settings: Settings) -> str:
    """Return a message with what can be done about it, where that is known.

    Args:
        message: Why a step failed, one line or several.
        settings: What the night runs with.
    """
    advice = _advice(message, settings)
    if advice is None:
        return message
    lines = [_ENGINE_ADVICE.sub("", line) for line in message.splitlines()]
    more = [f"  ... and {len(lines) - _LINES} more like these"] if len(lines) > _LINES else []
    return "\n".join([*lines[:_LINES], *more, advice])


def _advice(message: str, settings: Settings) -> str | None:
    if _DISK.search(message):
        return f"The disk of {settings.warehouse} is full: make room and run the night again."
    if _MEMORY.search(message):
        return (
            f"The engine had {settings.memory_limit} of memory for {settings.threads} models at a time: "
            f"raise {PREFIX}MEMORY_LIMIT, or set {PREFIX}THREADS=1, and run the night again."
        )
    if _DAMAGED.search(message):
        return (
            f"A file in {settings.warehouse / 'build'} is damaged: move that folder away and run the night "
            "again, it builds everything."
        )
    return None
