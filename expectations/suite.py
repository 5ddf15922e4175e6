"""A suite: what is expected of one table, and where all suites of a layer are found.

Nothing here imports Great Expectations (seconds), because the orchestrator asks at load time which
checks exist. A suite therefore holds a function that makes its expectations when the gate runs.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from expectations.thresholds import Thresholds

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

Layer = Literal["raw", "staging", "marts"]
LAYERS: tuple[Layer, ...] = get_args(Layer)

Build = Callable[[Thresholds], "list[Expectation]"]


@dataclass(frozen=True)
class Suite:
    """What is expected of one table.

    Attributes:
        layer: The layer whose gate runs the suite; also the schema of the table.
        table: The table or view, without its schema.
        build: Makes the expectations; called when the gate runs.
    """

    layer: Layer
    table: str
    build: Build

    @property
    def name(self) -> str:
        """Unique over all layers, and of letters, digits and underscores only."""
        return f"{self.layer}_{self.table}"


def suite(layer: Layer, table: str) -> Callable[[Build], Suite]:
    """Turn a function that returns expectations into the suite of a table.

    Args:
        layer: The layer whose gate runs the suite.
        table: The table or view, without its schema.

    Returns:
        A decorator; the decorated name is the `Suite`, which is all that discovery needs.
    """

    def decorate(build: Build) -> Suite:
        return Suite(layer, table, build)

    return decorate


def suites(layer: Layer) -> list[Suite]:
    """Find the suites of a layer: every `Suite` in a module of `expectations.<layer>`.

    Args:
        layer: One of raw, staging, marts.

    Returns:
        The suites, by table.

    Raises:
        ValueError: If the layer has no gate, or two suites are about the same table.
    """
    if layer not in LAYERS:
        raise ValueError(f"no gate for layer {layer!r}: known are {', '.join(LAYERS)}")
    package = importlib.import_module(f"expectations.{layer}")
    found: dict[str, Suite] = {}
    for module_info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(module_info.name)
        for candidate in vars(module).values():
            if not isinstance(candidate, Suite):
                continue
            if candidate.table in found:
                raise ValueError(f"two suites for {layer} table {candidate.table}: merge them")
            found[candidate.table] = candidate
    return [found[table] for table in sorted(found)]
