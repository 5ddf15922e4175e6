"""Builds the hand-written marts in a process of their own; prints how long each statement took, as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path

from benchmarks.handwritten import Night, build


def main() -> None:
    """Read the arguments, build, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.handwritten", description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="raw zone of a sample")
    parser.add_argument("--file", type=Path, required=True, help="DuckDB file to build")
    parser.add_argument("--as-of", type=date.fromisoformat, required=True, help="snapshot date, YYYY-MM-DD")
    parser.add_argument("--timezone", default="UTC", help="business time zone (default: %(default)s)")
    parser.add_argument("--currency", default="USD", help="reporting currency (default: %(default)s)")
    parser.add_argument("--hash-key", required=True, help="private key of identifier hashes")
    parser.add_argument("--memory-limit", default="8GB", help="before spilling (default: %(default)s)")
    arguments = parser.parse_args()
    night = Night(
        raw=arguments.raw.resolve(),
        as_of=arguments.as_of,
        time_zone=arguments.timezone,
        currency=arguments.currency,
        hash_key=arguments.hash_key,
    )
    runs = build(night, arguments.file.resolve(), memory_limit=arguments.memory_limit)
    json.dump([asdict(run) for run in runs], sys.stdout)


if __name__ == "__main__":
    main()
