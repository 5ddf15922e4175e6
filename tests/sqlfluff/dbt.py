"""Stands in for dbt's own cross-database macros when the linter renders a template.

The linter reads structure and style, so each stands for SQL of the right shape, not of the right value. A
macro that is missing here fails the linter with its name; add it then.
"""


def type_string() -> str:
    """Text."""
    return "varchar"


def type_float() -> str:
    """Double precision number."""
    return "double"


def type_numeric() -> str:
    """Exact decimal number."""
    return "decimal(28, 6)"


def type_int() -> str:
    """32-bit whole number."""
    return "integer"


def type_bigint() -> str:
    """64-bit whole number."""
    return "bigint"


def type_boolean() -> str:
    """Truth value."""
    return "boolean"


def type_timestamp() -> str:
    """Timestamp without an offset."""
    return "timestamp"


def datediff(first_date: str, second_date: str, datepart: str) -> str:
    """Whole units from one date to another."""
    return f"datediff('{datepart}', {first_date}, {second_date})"


def dateadd(datepart: str, interval: str | int, from_date_or_timestamp: str) -> str:
    """A date moved by a number of units."""
    return f"date_add({from_date_or_timestamp}, interval ({interval}) {datepart})"


def date_trunc(datepart: str, date: str) -> str:
    """First moment of the unit that a date lies in."""
    return f"date_trunc('{datepart}', {date})"


def generate_series(upper_bound: int) -> str:
    """Rows 1 to a bound, in a column named as dbt names it."""
    return f"select {upper_bound} as generated_number"


def listagg(measure: str, delimiter_text: str = "','", order_by_clause: str = "") -> str:
    """Values of a group in one text."""
    return f"listagg({measure}, {delimiter_text} {order_by_clause})"
