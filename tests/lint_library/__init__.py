"""Stands in for dbt when the SQL linter renders the project's templates.

The project's own macros are rendered as they are, with DuckDB's implementations and with the raw contract as
it is declared. What dbt itself would bring has a stand-in here that gives SQL of the right shape, not of the
right value: the linter reads structure and meaning, and runs nothing. A name that is missing here fails the
linter with that name; add it then. Every public name of this module is one that templates may use.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import yaml
from jinja2 import pass_context
from jinja2.runtime import Context

_PROJECT = Path(__file__).resolve().parents[2]
_VARIABLES = {
    **yaml.safe_load((_PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"],
    "as_of": "2017-12-31",
    "business_time_zone": "America/New_York",
    # an ordinary night: what a full build reads is in it, too
    "night_number": 2,
    "last_night_number": 1,
    "last_as_of": "2017-12-30",
    "known_until": "2017-12-31 05:00:00",
}


def _contract() -> Mapping[str, Mapping[str, Any]]:
    """The raw tables as dbt's graph shows them, by an id."""
    tables = [
        table
        for file in sorted((_PROJECT / "models").rglob("_sources.yml"))
        for source in yaml.safe_load(file.read_text(encoding="utf-8"))["sources"]
        for table in source["tables"]
    ]
    return {
        table["name"]: {
            "source_name": "raw",
            "name": table["name"],
            "database": "staging",
            "schema": "raw",
            "identifier": table["name"],
            "meta": table.get("config", {}).get("meta", {}),
            "columns": {
                column["name"]: {**column, "meta": column.get("config", {}).get("meta", {})}
                for column in table["columns"]
            },
        }
        for table in tables
    }


execute = True
# models that macros look up by their names, because a ref cannot stand there
_LOOKED_UP = {
    name: SimpleNamespace(resource_type="model", name=name, database="staging", schema=schema, alias=name)
    for name, schema in (
        ("stg_finance__first_rates", "staging"),
        ("int_identity__assignments", "intermediate"),
        ("int_identity__edges", "intermediate"),
    )
}
graph = SimpleNamespace(sources=_contract(), nodes=_LOOKED_UP)
target = SimpleNamespace(database="staging")
model = SimpleNamespace(name="")


def var(name: str, default: Any = None) -> Any:
    """A project variable."""
    return _VARIABLES.get(name, default)


def run_query(query: str) -> SimpleNamespace:
    """One row with a nought: nothing is asked of a database."""
    return SimpleNamespace(columns=[SimpleNamespace(values=lambda: [0])])


def load_relation(relation: object) -> None:
    """No relation exists: what a macro would look up in the database stays empty."""
    return


@pass_context
def _dispatch(context: Context, macro_name: str, macro_namespace: str | None = None) -> Callable[..., str]:
    """Find the implementation of a macro as dbt does on DuckDB.

    Raises:
        LookupError: The project has none for DuckDB and no default.
    """
    for prefix in ("duckdb__", "default__"):
        implementation: Callable[..., str] | None = context.get(prefix + macro_name)
        if implementation is not None:
            return implementation
    raise LookupError(f"Macro {macro_name} has neither duckdb__{macro_name} nor default__{macro_name}")


@dataclass(frozen=True)
class _Relation:
    """A table by its name."""

    database: str
    schema: str
    identifier: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.identifier}"


def _delivered(relation: _Relation) -> Sequence[SimpleNamespace]:
    """Columns of a raw table that is delivered in full, in the types of the contract."""
    columns = graph.sources[relation.identifier]["columns"].values()
    return [SimpleNamespace(name=column["name"], dtype=column["data_type"]) for column in columns] + [
        SimpleNamespace(name="source_file", dtype="varchar")
    ]


def _stop(message: str) -> NoReturn:
    raise ValueError(message)


def type_string() -> str:
    """Text."""
    return "varchar"


def type_float() -> str:
    """Double precision number."""
    return "double"


def _datediff(first_date: str, second_date: str, datepart: str) -> str:
    return f"datediff('{datepart}', {first_date}, {second_date})"


def _dateadd(datepart: str, interval: str | int, from_date_or_timestamp: str) -> str:
    return f"date_add({from_date_or_timestamp}, interval ({interval}) {datepart})"


def _generate_series(upper_bound: int) -> str:
    return f"select {upper_bound} as generated_number"


def _listagg(measure: str, delimiter_text: str, order_by_clause: str) -> str:
    return f"string_agg({measure}, {delimiter_text} {order_by_clause})"


adapter = SimpleNamespace(
    dispatch=_dispatch,
    get_columns_in_relation=_delivered,
)
api = SimpleNamespace(Relation=SimpleNamespace(create=_Relation))
modules = SimpleNamespace(datetime=datetime)
exceptions = SimpleNamespace(raise_compiler_error=_stop)
dbt = SimpleNamespace(
    type_string=type_string,
    type_float=type_float,
    datediff=_datediff,
    dateadd=_dateadd,
    generate_series=_generate_series,
    listagg=_listagg,
)
