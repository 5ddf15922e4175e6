"""Runs the models' compiled SQL on tables made in memory: a whole pipeline in a fraction of a second.

dbt compiles the SQL once, in a night over a raw zone of one row; here it runs as it stands, on DuckDB in
memory, on inputs that a test makes up. What does NOT belong here: what the results should be.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from nights import PROJECT

Row = Mapping[str, Any]
# Who is who is given: the models that find out are left out.
_IDENTITY = ("int_identity__", "int_night__reclustered_identifiers")


class CompiledModels:
    """The intermediate and marts models of one compiled project.

    Args:
        warehouse: Folder of a warehouse whose last night built every model.
        given: Names of models whose rows a test provides instead of their SQL.
    """

    def __init__(self, warehouse: Path, given: Sequence[str]) -> None:
        manifest = json.loads(
            (PROJECT / "target" / "orchestration" / "manifest.json").read_text(encoding="utf-8")
        )
        compiled = warehouse / "build" / "dbt" / "compiled" / "engagement_warehouse"
        models = {uid: node for uid, node in manifest["nodes"].items() if node["resource_type"] == "model"}
        self._sql = {
            node["name"]: (
                node["config"]["materialized"],
                _relation(node),
                (compiled / node["original_file_path"]).read_text(encoding="utf-8"),
            )
            for uid, node in models.items()
            if node["name"] not in given
            and node["original_file_path"].startswith(("models/intermediate", "models/marts"))
            and not node["name"].startswith(_IDENTITY)
        }
        parents = {
            node["name"]: [
                models[parent]["name"] for parent in node["depends_on"]["nodes"] if parent in models
            ]
            for node in models.values()
        }
        self._order = _sorted(self._sql, parents)
        self._given = {node["name"]: _relation(node) for node in models.values() if node["name"] in given}
        self._connection = duckdb.connect()
        self._connection.execute(
            "set TimeZone = 'UTC'; attach ':memory:' as staging; attach ':memory:' as engagement"
        )
        for schema in ("staging.staging", "staging.seeds", "staging.intermediate", "engagement.marts"):
            self._connection.execute(f"create schema {schema}")
        build = warehouse / "build" / "staging.duckdb"
        self._connection.execute(f"attach '{build}' as built (read_only)")
        for (seed,) in self._connection.execute(
            "select table_name from duckdb_tables() where database_name = 'built' and schema_name = 'seeds'"
        ).fetchall():
            self._connection.execute(f"create table staging.seeds.{seed} as from built.seeds.{seed}")
        for name, relation in self._given.items():
            source = relation.replace('"staging"', "built", 1)
            self._connection.execute(f"create table {relation} as select * from {source} limit 0")
            assert name
        self._connection.execute("detach built")

    def run(self, inputs: Mapping[str, Iterable[Row]]) -> None:
        """Build every model on the given rows; columns that a row does not name are null.

        Args:
            inputs: Rows by name of a given model.
        """
        for name, relation in self._given.items():
            self._connection.execute(f"delete from {relation}")
            for row in inputs.get(name, ()):
                columns = ", ".join(row)
                marks = ", ".join("?" for _ in row)
                self._connection.execute(
                    f"insert into {relation} ({columns}) values ({marks})", list(row.values())
                )
        for name in self._order:
            materialized, relation, sql = self._sql[name]
            kind = "view" if materialized == "view" else "table"
            self._connection.execute(f"create or replace {kind} {relation} as {sql}")

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query over `engagement.marts` and `staging.intermediate`."""
        cursor = self._connection.execute(query)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def _relation(node: Mapping[str, Any]) -> str:
    return f'"{node["database"]}"."{node["schema"]}"."{node["alias"]}"'


def _sorted(names: Iterable[str], parents: Mapping[str, Sequence[str]]) -> list[str]:
    """Return names with every parent before its children."""
    wanted, ordered = set(names), list[str]()

    def visit(name: str) -> None:
        if name in wanted and name not in ordered:
            for parent in parents[name]:
                visit(parent)
            ordered.append(name)

    for name in sorted(wanted):
        visit(name)
    return ordered
