"""Computes per-customer measures in a process of its own and writes them as a Parquet file."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from benchmarks.dataframes import WAYS


def main() -> None:
    """Read the arguments, compute, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dataframes", description=__doc__)
    parser.add_argument("--published", type=Path, required=True, help="published file of a warehouse")
    parser.add_argument("--as-of", type=date.fromisoformat, required=True, help="its snapshot date")
    parser.add_argument("--way", choices=sorted(WAYS), required=True, help="library that computes")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")
    arguments = parser.parse_args()
    WAYS[arguments.way](arguments.published, arguments.as_of).to_parquet(arguments.out, index=False)


if __name__ == "__main__":
    main()
