"""MetricFlow's command line, pointed at the published file.

`mf` wants a parsed project in the current directory, takes the profile's default target (the build files,
which belong to the night) and asks PyPI at every start whether it is the newest. Here it gets what it wants,
from any directory, and asks nobody. What does NOT belong here: what a metric is (`models/semantic`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from orchestration import dbt
from orchestration.settings import PROJECT_ROOT

# Where MetricFlow looks for the semantic layer, whatever dbt's target folder is.
SEMANTIC_MANIFEST = PROJECT_ROOT / "target" / "semantic_manifest.json"


class MetricsError(RuntimeError):
    """MetricFlow cannot be asked; the message is one sentence for the person who asks."""


def prepare() -> Path:
    """Put the semantic layer where MetricFlow looks for it; return the file.

    Raises:
        DbtError: The project does not parse.
    """
    text = dbt.semantic_manifest()
    if not SEMANTIC_MANIFEST.is_file() or SEMANTIC_MANIFEST.read_text(encoding="utf-8") != text:
        # another reader may be at the same place
        draft = SEMANTIC_MANIFEST.with_suffix(f".{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(SEMANTIC_MANIFEST)
    return SEMANTIC_MANIFEST


def ask(arguments: Sequence[str]) -> int:
    """Run a command of `mf` in this process and return its exit status; dbt must point at the published file.

    Args:
        arguments: What stands after `mf`, e.g. `("list", "metrics")`.

    Raises:
        MetricsError: MetricFlow is not installed.
        DbtError: The project does not parse.
    """
    try:
        from dbt_metricflow.cli import main as mf
        from dbt_metricflow.cli.cli_configuration import CLIConfiguration
    except ImportError as error:
        raise MetricsError(
            "MetricFlow is not installed; `make install` brings it (extra `metrics`)."
        ) from error
    prepare()
    mf.UpdateChecker = _NoUpdates  # type: ignore[attr-defined]
    configuration = CLIConfiguration()
    try:
        configuration.setup(dbt_profiles_path=PROJECT_ROOT, dbt_project_path=PROJECT_ROOT)
        mf.cli.main(list(arguments), prog_name="engagement metrics", obj=configuration)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    finally:
        dbt.release()
    return 0


class _NoUpdates:
    """Stands in for the look at PyPI."""

    def check(self, _package: str, _version: str) -> None:
        """Find nothing newer."""
