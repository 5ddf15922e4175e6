"""Stands in for dbt's `adapter` when the linter renders a template."""

from collections.abc import Callable

from jinja2 import pass_context
from jinja2.runtime import Context


@pass_context
def dispatch(context: Context, macro_name: str, macro_namespace: str | None = None) -> Callable[..., str]:
    """Find the implementation of a macro as dbt does on DuckDB.

    Raises:
        LookupError: The project has no implementation for DuckDB and no default.
    """
    for prefix in ("duckdb__", "default__"):
        implementation: Callable[..., str] | None = context.get(prefix + macro_name)
        if implementation is not None:
            return implementation
    raise LookupError(f"Macro {macro_name} has neither duckdb__{macro_name} nor default__{macro_name}")
