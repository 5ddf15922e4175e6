"""What a person sees while a night runs: one line per thing done, instead of Dagster's event log.

What does NOT belong here: anything that a later program would want to read (that is in schema audit).
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable

import dagster as dg

_LOGGER = "engagement.night"


class Reporter(logging.Handler):
    """Prints the messages that steps log, under the step's name, with the seconds since the start."""

    def __init__(self, write: Callable[[str, str, str], None]) -> None:
        """Take the function that prints.

        Args:
            write: Called with the seconds since the start as text, the step (empty when it is the same as
                before) and the message.
        """
        super().__init__(level=logging.INFO)
        self._write = write
        self._begun = time.monotonic()
        self._step: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message of a step; Dagster's own events, and its errors, stay in its event log."""
        meta = getattr(record, "dagster_meta", {})
        if meta.get("dagster_event") is not None or record.levelno >= logging.ERROR:
            return
        step = meta.get("step_key") or ""
        shown = "" if step == self._step else step
        self._step = step
        message = meta.get("orig_message") or record.getMessage()
        # A terminal that went away must not end a night; rich raises SystemExit for a closed pipe.
        with contextlib.suppress(OSError, SystemExit):
            self._write(f"{time.monotonic() - self._begun:6.1f} s", shown, message)


def report_with(write: Callable[[str, str, str], None]) -> None:
    """Have the nights of this process report through a function; see `Reporter`."""
    logger = logging.getLogger(_LOGGER)
    logger.handlers[:] = [Reporter(write)]


@dg.logger(config_schema={})
def night_logger(_: dg.InitLoggerContext) -> logging.Logger:
    """Return the logger of a night's progress; plain lines unless `report_with` was called."""
    logger = logging.getLogger(_LOGGER)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    if not logger.handlers:
        report_with(_plain)
    return logger


def _plain(seconds: str, step: str, message: str) -> None:
    sys.stderr.write(f"{seconds}  {step:<14}{message}\n")
