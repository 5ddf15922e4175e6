"""How much is too much: the business's tolerances, read from `seeds/quality_thresholds.csv`.

The file and not the seeded table, because the raw gate runs before seeds are loaded; so that every
gate of a night reads the same values.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

SEED = Path(__file__).resolve().parent.parent / "seeds" / "quality_thresholds.csv"
ANY_TABLE = "*"


@dataclass(frozen=True)
class Thresholds:
    """Tolerances by layer, table and name; a row for a table overrides the one for `*`.

    Attributes:
        values: (layer, table or `*`, threshold) -> value, in the unit that the seed names.
    """

    values: dict[tuple[str, str, str], float]

    def value(self, layer: str, table: str, threshold: str) -> float:
        """Look up a threshold of a table.

        Args:
            layer: raw, staging, marts or alerts.
            table: The table; its own row wins over the one for every table.
            threshold: The threshold's name.

        Returns:
            The value, in the unit that the seed names.

        Raises:
            KeyError: If the seed has no such threshold for the layer.
        """
        for candidate in (table, ANY_TABLE):
            if (layer, candidate, threshold) in self.values:
                return self.values[layer, candidate, threshold]
        raise KeyError(f"{SEED.name} has no threshold {threshold!r} for layer {layer!r}")

    def overrides(self, layer: str, threshold: str) -> dict[str, float]:
        """List the tables that have a value of their own for a threshold.

        Args:
            layer: raw, staging, marts or alerts.
            threshold: The threshold's name.

        Returns:
            Table -> value; empty if the value for every table stands everywhere.
        """
        return {
            table: value
            for (of_layer, table, name), value in self.values.items()
            if of_layer == layer and name == threshold and table != ANY_TABLE
        }


def load_thresholds(path: Path = SEED) -> Thresholds:
    """Read the tolerances.

    Args:
        path: A CSV file with the columns layer, table_name, threshold, value (and more for people).

    Returns:
        The tolerances.

    Raises:
        ValueError: If a threshold is given twice or is not a number; names the line.
    """
    values: dict[tuple[str, str, str], float] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            key = (row["layer"], row["table_name"], row["threshold"])
            if key in values:
                raise ValueError(f"{path.name} line {number}: {' '.join(key)} is given twice")
            try:
                values[key] = float(row["value"])
            except ValueError as error:
                raise ValueError(f"{path.name} line {number}: {row['value']!r} is not a number") from error
    return Thresholds(values)
