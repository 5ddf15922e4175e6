"""The words in which suites are written: each makes one expectation.

Great Expectations is imported inside the functions, never at the top: modules with suites are loaded
whenever somebody asks which checks exist. Only what suites use is here; add a word when a suite needs it.

A query must not select personal data (names of people, addresses, handles): examples of what it finds
are printed and kept in the audit tables. Select keys and the columns at fault.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from expectations.thresholds import Thresholds

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

Parameter = str | float

ROUNDING = 1e-9
"""What the arithmetic of floating point may add to a share or an index."""

_NARROWED = re.compile(r"\b(batch\b|written\.)")

SHAPE_LENGTH = 40
"""Characters of a value's shape that are shown."""


def columns_in_order(columns: Sequence[str]) -> Expectation:
    """The table has these columns, in this order, and no others."""
    from great_expectations.expectations.core.expect_table_columns_to_match_ordered_list import (
        ExpectTableColumnsToMatchOrderedList,
    )

    return ExpectTableColumnsToMatchOrderedList(column_list=list(columns))


def between(column: str, low: float | None = None, high: float | None = None) -> Expectation:
    """Every value lies within the bounds, which are included; nulls are let pass."""
    from great_expectations.expectations.core.expect_column_values_to_be_between import (
        ExpectColumnValuesToBeBetween,
    )

    return ExpectColumnValuesToBeBetween(column=column, min_value=low, max_value=high)


def share(column: str) -> Expectation:
    """Every value lies in [0, 1], but for rounding; nulls are let pass."""
    return within(column, 0, 1)


def within(column: str, low: float, high: float) -> Expectation:
    """Every value lies within the bounds, but for rounding of floating point; nulls are let pass."""
    return between(column, low - ROUNDING, high + ROUNDING)


def not_below(column: str, other: str) -> Expectation:
    """In every row that has both, the value of `column` is at least that of `other`."""
    from great_expectations.expectations.core.expect_column_pair_values_a_to_be_greater_than_b import (
        ExpectColumnPairValuesAToBeGreaterThanB,
    )

    return ExpectColumnPairValuesAToBeGreaterThanB(
        column_A=column, column_B=other, or_equal=True, ignore_row_if="either_value_is_missing"
    )


def text_length(column: str, characters: int) -> Expectation:
    """Every text has this many characters; nulls are let pass."""
    from great_expectations.expectations.core.expect_column_value_lengths_to_equal import (
        ExpectColumnValueLengthsToEqual,
    )

    return ExpectColumnValueLengthsToEqual(column=column, value=characters)


def no_rows(
    name: str,
    columns: Sequence[str],
    query: str,
    parameters: Mapping[str, Parameter] | None = None,
    examples: int | None = None,
) -> Expectation:
    """A query over the table finds nothing.

    Args:
        name: What is expected, as a snake case sentence that begins with `expect_`.
        columns: The columns that the expectation is about.
        query: A select statement over `batch` (of the table under test, what the gate looks at) that returns
            what should not be. Of another mart, `written.<mart>` is what the gate looks at.
            A query over aggregates says how many rows a line stands for in a column `unexpected_count`,
            and of how many in `element_count`. A column `sentence` says it to people, in place of examples.
        parameters: Values for the `:names` in the query.
        examples: How many of the query's rows are told, where a few will not do.

    Returns:
        The expectation.

    Raises:
        KeyError: If the query names a parameter that is not given.
    """
    from expectations.rows import EXAMPLES, ExpectNoRows, framed

    return ExpectNoRows(
        unexpected_rows_query=framed(bound(textwrap.dedent(query), parameters or {}), examples or EXAMPLES),
        # one that never asks for what was written tonight looks at everything
        meta={"name": name, "columns": list(columns), "is_whole": not _NARROWED.search(query)},
    )


def bound(query: str, parameters: Mapping[str, Parameter]) -> str:
    """Put literals in the place of a query's `:names`; casts (`::`) and times in text stay as they are.

    Args:
        query: SQL.
        parameters: Name -> text or number.

    Returns:
        The SQL with literals.

    Raises:
        KeyError: If a parameter is missing.
    """

    def literal(match: re.Match[str]) -> str:
        value = parameters[match.group(1)]
        return repr(value) if isinstance(value, int | float) else "'" + value.replace("'", "''") + "'"

    return re.sub(r"(?<![:\w]):([a-z_]+)\b", literal, query)


def shape(expression: str) -> str:
    """SQL of what a value looks like, with a for every letter and 9 for every digit.

    A value that cannot be read may be anything, where columns have shifted also somebody's address; its shape
    tells a changed format.

    Args:
        expression: SQL of the value.
    """
    letters = f"regexp_replace(cast({expression} as varchar), '\\pL', 'a', 'g')"
    return f"left(regexp_replace({letters}, '\\pN', '9', 'g'), {SHAPE_LENGTH})"


def readable(column: str, sql_type: str, share_max: float, rows_tolerated: float) -> Expectation:
    """Nearly all values that are given can be read as a type, whatever type the file has them in.

    Single bad values go to quarantine later; this is for a feed that changed its format.

    Args:
        column: The column.
        sql_type: The type to read it as.
        share_max: Largest share of unreadable values, in [0, 1].
        rows_tolerated: Up to this many unreadable values are let pass, whatever their share.

    Returns:
        The expectation.
    """
    query = """
        select
            count(*) filter (where try_cast(:column as :type) is null) as unexpected_count,
            count(*) as element_count,
            -- a filter would not spare the shapes of all the others: two regular expressions a row
            any_value(case when try_cast(:column as :type) is null then :shape end) as looks_like
        from batch
        where :column is not null
        having unexpected_count > :rows_tolerated and unexpected_count > :share_max * element_count
    """
    return no_rows(
        f"expect_{column}_to_be_readable",
        [column],
        query.replace(":shape", shape(":column"))
        .replace(":column", f'"{column}"')
        .replace(":type", sql_type),
        {"share_max": share_max, "rows_tolerated": rows_tolerated},
    )


def seldom(
    name: str,
    columns: Sequence[str],
    condition: str,
    share_max: float,
    rows_tolerated: float,
    parameters: Mapping[str, Parameter] | None = None,
    table: str = "batch",
) -> Expectation:
    """A condition holds for a small share of the rows only.

    Args:
        name: What is expected, as a snake case sentence that begins with `expect_`.
        columns: The columns that the expectation is about.
        condition: SQL over the columns of the table; true where a row is not as it should be.
        share_max: Largest share of such rows, in [0, 1].
        rows_tolerated: Up to this many such rows are let pass, whatever their share.
        parameters: Values for the `:names` in the condition.
        table: Where the rows stand; the whole mart, where a share of one night's rows says little.

    Returns:
        The expectation.
    """
    query = """
        select count(*) filter (where :condition) as unexpected_count, count(*) as element_count
        from :table
        having unexpected_count > :rows_tolerated and unexpected_count > :share_max * element_count
    """
    return no_rows(
        name,
        columns,
        query.replace(":condition", condition).replace(":table", table),
        {"share_max": share_max, "rows_tolerated": rows_tolerated, **(parameters or {})},
    )


def named(table: str, identifiers: Sequence[str], thresholds: Thresholds) -> Expectation:
    """Most rows of a staging table bear an identifier, so that they reach a customer.

    A feed whose identifiers went missing would pass every rule on single rows and yet leave every fact
    without it.

    Args:
        table: The staging table, for its thresholds.
        identifiers: The columns of which a row needs one.
        thresholds: The tolerances.

    Returns:
        The expectation.
    """
    return seldom(
        "expect_most_rows_to_bear_an_identifier",
        identifiers,
        f"coalesce({', '.join(identifiers)}) is null"
        if len(identifiers) > 1
        else f"{identifiers[0]} is null",
        thresholds.value("staging", table, "anonymous_share_max"),
        thresholds.value("staging", table, "anonymous_rows_tolerated"),
    )
