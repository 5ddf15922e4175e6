"""An expectation in SQL of our own: a query that must find no row.

`UnexpectedRowsExpectation` counts and fetches with two statements and keeps the rows only in a result
format that would also fetch every unexpected value of every other expectation. Here one statement
brings the count and a few examples, and both reach the result always.

Imports Great Expectations: import this module inside functions only.
"""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation

EXAMPLES = 3
"""How many of the offending rows a result keeps."""

# The number by a query of its own: `count(*) over ()` of no rows makes DuckDB 1.5.5 fail now and then, and
# the database with it (duckdb issue 25713).
_FRAME = """
with batch as not materialized (select * from {batch}),
offending as materialized (
:query
)
select offending.*, (select count(*) from offending) as offending_rows from offending limit :examples
"""


def framed(query: str, examples: int = EXAMPLES) -> str:
    """Wrap a query over `batch` so that it brings the number of its rows and a few of them.

    The frame gives the table under test the name `batch`, whether or not the query joins (upstream
    gives it an alias only if it does not), and doubles braces, which upstream would read as fields.

    Args:
        query: A select statement over `batch`.
        examples: How many of its rows are brought.

    Returns:
        The statement for `ExpectNoRows`.
    """
    escaped = query.strip().replace("{", "{{").replace("}", "}}")
    return _FRAME.strip().replace(":examples", str(examples)).replace(":query", escaped)


class ExpectNoRows(UnexpectedRowsExpectation):
    """Fails if a statement made by `framed` brings rows, and keeps the count and the examples."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.table",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: object | None = None,
    ) -> dict[str, Any]:
        """Judge the rows found.

        A query over aggregates says in a column `unexpected_count` how many rows its one line stands
        for, and in `element_count` of how many.
        """
        rows = [dict(row) for row in metrics["unexpected_rows_query.table"]]
        found = rows[0]["offending_rows"] if rows else 0
        for row in rows:
            del row["offending_rows"]
        aggregated = bool(rows) and "unexpected_count" in rows[0]
        return {
            "success": not rows,
            "result": {
                "observed_value": None,
                "unexpected_count": sum(row["unexpected_count"] for row in rows) if aggregated else found,
                "element_count": sum(row.get("element_count", 0) for row in rows) if aggregated else None,
                "partial_unexpected_list": rows,
            },
        }
