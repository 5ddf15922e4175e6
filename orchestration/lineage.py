"""Column lineage of the whole project: every column of every model, down to raw columns and seeds.

It follows from the code alone. So it is read off the SQL of a full build, compiled against an empty raw zone,
once per version of the code, and kept beside what dbt has parsed: no night waits for it. What does NOT belong
here: how one query is read (`orchestration.statement_lineage`), where it is stored (`warehouse.audit`).
"""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from orchestration import dbt
from orchestration.settings import PROJECT_ROOT
from orchestration.statement_lineage import (
    DERIVED,
    DIRECT,
    ROWS,
    Origin,
    Origins,
    StatementLineage,
    Table,
    lineage_of,
    weaker,
)
from warehouse import ledger, raw_zone
from warehouse.audit import LineageRow
from warehouse.contract import read_contract
from warehouse.files import replacing

_CACHE = PROJECT_ROOT / "target" / "orchestration" / "lineage.json"
_FOLDERS = ("models", "macros")
_FILES = ("dbt_project.yml", "orchestration/lineage.py", "orchestration/statement_lineage.py")
# Layers whose tables are published.
_PUBLISHED = ("marts", "audit")
_GROUND = ("raw", "seeds")
# Small tables that a model keeps of its own rows (macros/versions.sql).
_BESIDE = re.compile(r"__(deletions|changes)$")
_META = "lineage"
_WITHOUT_ORIGIN = frozenset({"constant", "count"})
_EMPTY_PROFILE = """
engagement_warehouse:
  target: empty
  outputs:
    empty:
      type: duckdb
      path: {folder}/staging.duckdb
      attach: [{{path: {folder}/engagement.duckdb, alias: engagement}}]
"""


@dataclass(frozen=True)
class ProjectLineage:
    """Where the columns of all models come from.

    Attributes:
        version: Fingerprint of the code that it was read off.
        models: Schema and name of a model to the lineage of its own query.
        failures: Name of a model to why its query is not understood.
    """

    version: str
    models: Mapping[Table, StatementLineage]
    failures: Mapping[str, str] = field(default_factory=dict)

    def parents(self, table: Table) -> Mapping[str, Origins]:
        """Return the columns of a model with the columns of other tables that they are made of."""
        known = self.models.get(table)
        return {} if known is None else known.columns

    def rows(self) -> list[LineageRow]:
        """Return the lineage of every published column down to raw tables and seeds, and of the rows."""
        walk = _Closure(self.models)
        found: list[LineageRow] = []
        for table in sorted(self.models):
            if table[0] not in _PUBLISHED:
                continue
            for column in self.models[table].columns:
                found.extend(_lineage_rows(table, column, walk.of_column(Origin(*table, column))))
            found.extend(_lineage_rows(table, None, walk.of_rows(table)))
        return found


@dataclass(frozen=True)
class _Way:
    """How a column gets to a raw column: kind of the making, and the models between."""

    kind: str
    via: frozenset[str]

    def joined(self, other: _Way) -> _Way:
        return _Way(weaker(self.kind, other.kind), self.via | other.via)


class _Closure:
    """Ways from a column to the raw columns and seeds that it is made of, each column asked once."""

    def __init__(self, models: Mapping[Table, StatementLineage]) -> None:
        self._models = models
        self._columns: dict[Origin, dict[Origin, _Way]] = {}
        self._rows: dict[Table, frozenset[Origin]] = {}

    def of_column(self, origin: Origin) -> dict[Origin, _Way]:
        if origin not in self._columns:
            self._columns[origin] = self._found(origin)
        return self._columns[origin]

    def of_rows(self, table: Table) -> dict[Origin, _Way]:
        """Return what decides which rows a model has, in its own query or in one that it reads."""
        return {origin: _Way(ROWS, frozenset()) for origin in self._deciding(table)}

    def _deciding(self, table: Table) -> frozenset[Origin]:
        if table not in self._rows:
            query = self._models[table]
            origins = set(query.rows)
            found = {leaf for origin in origins for leaf in self.of_column(origin)}
            read = {(origin.schema, origin.table) for made in query.columns.values() for origin in made}
            read |= {(origin.schema, origin.table) for origin in origins}
            for parent in read & self._models.keys():
                found |= self._deciding(parent)
            self._rows[table] = frozenset(found)
        return self._rows[table]

    def _found(self, origin: Origin) -> dict[Origin, _Way]:
        model = self._models.get((origin.schema, origin.table))
        if model is None:
            beside = _BESIDE.sub("", origin.table)
            if beside != origin.table:
                return self.of_column(Origin(origin.schema, beside, origin.column))
            return {origin: _Way(DIRECT, frozenset())}
        found: dict[Origin, _Way] = {}
        for parent, kind in model.columns.get(origin.column, {}).items():
            between = {parent.table} if (parent.schema, parent.table) in self._models else set()
            for leaf, way in self.of_column(parent).items():
                step = _Way(weaker(kind, way.kind), way.via | between)
                found[leaf] = found[leaf].joined(step) if leaf in found else step
        return found


def _lineage_rows(table: Table, column: str | None, ways: Mapping[Origin, _Way]) -> Iterator[LineageRow]:
    for origin, way in sorted(ways.items()):
        yield LineageRow(
            schema_name=table[0],
            mart=table[1],
            column_name=column,
            source_schema=origin.schema,
            source_table=origin.table,
            source_column=origin.column,
            kind=way.kind,
            via=", ".join(sorted(way.via)),
        )


def unexplained(lineage: ProjectLineage, manifest: Mapping[str, Any]) -> list[str]:
    """Return the published columns without a raw column behind them that are not declared so, as sentences.

    A column that is a constant, or counts all rows of a table, says so in its YAML (`config: meta: lineage:
    constant`); one that says so and has an origin all the same is a mistake, too.

    Args:
        lineage: The lineage.
        manifest: dbt's manifest, which has the declarations.
    """
    told = [f"{name}: {reason}" for name, reason in sorted(lineage.failures.items())]
    walk = _Closure(lineage.models)
    for node in _models(manifest):
        table = (node["schema"], node["alias"])
        if table[0] not in _PUBLISHED or table not in lineage.models:
            continue
        columns = lineage.models[table].columns
        for name in columns:
            for leaf in walk.of_column(Origin(*table, name)):
                if leaf.schema not in _GROUND:
                    told.append(
                        f"{table[1]}.{name} ends at {leaf.schema}.{leaf.table}, which is no raw table"
                    )
        for name in node["columns"]:
            declared = (node["columns"][name].get("config") or {}).get("meta", {}).get(_META)
            has_origin = name in columns and bool(walk.of_column(Origin(*table, name)))
            if declared is not None and declared not in _WITHOUT_ORIGIN:
                told.append(f"{table[1]}.{name}: lineage {declared!r} is neither constant nor count")
            elif has_origin and declared is not None:
                told.append(f"{table[1]}.{name} is declared a {declared} and has an origin")
            elif not has_origin and declared is None:
                told.append(f"{table[1]}.{name} has no origin and is not declared a constant or a count")
    return told


@lru_cache(maxsize=1)
def project_lineage() -> ProjectLineage:
    """Return this checkout's lineage, read off its SQL now if its models have changed since it last was."""
    now = _fingerprint(PROJECT_ROOT)
    if _CACHE.is_file():
        kept = _unpacked(json.loads(_CACHE.read_text(encoding="utf-8")))
        if kept.version == now:
            return kept
    found = _read_off(now)
    _CACHE.parent.mkdir(parents=True, exist_ok=True)
    # two processes may find out at the same time; both find the same
    with replacing(_CACHE, 0o644) as partial:
        partial.write_text(json.dumps(_packed(found)), encoding="utf-8")
    return found


def lineage_of_project(
    manifest: Mapping[str, Any], compiled: Mapping[str, str], root: Path, version_: str
) -> ProjectLineage:
    """Read the lineage off compiled SQL.

    Args:
        manifest: dbt's manifest.
        compiled: dbt's id of a model to its SQL in a full build.
        root: The project, for the headers of its seeds.
        version_: Fingerprint of the code.
    """
    tables = _ground(manifest, root)
    models: dict[Table, StatementLineage] = {}
    failures: dict[str, str] = {}
    for node in _in_order(manifest):
        table = (node["schema"], node["alias"])
        try:
            models[table] = _of_model(node, compiled[node["unique_id"]], tables)
        except Exception as error:
            # nothing that sqlglot trips over may stop a night; a test shows the failures
            failures[node["name"]] = f"{type(error).__name__}: {error}"
            models[table] = StatementLineage({column: {} for column in node["columns"]})
        tables[table] = list(models[table].columns)
    return ProjectLineage(version_, models, failures)


def _of_model(node: Mapping[str, Any], sql: str, tables: Mapping[Table, Sequence[str]]) -> StatementLineage:
    found = lineage_of(sql, tables)
    described = set(node["columns"])
    if not described or described & found.columns.keys():
        return found
    # the materialization makes other columns of the query's: each may come from all of them
    everything = {origin: DERIVED for origins in found.columns.values() for origin in origins}
    return StatementLineage(dict.fromkeys(node["columns"], everything), found.rows)


def _ground(manifest: Mapping[str, Any], root: Path) -> dict[Table, Sequence[str]]:
    """Return what the models stand on, raw tables, ledger and seeds, with their columns."""
    tables: dict[Table, Sequence[str]] = {
        (source["schema"], source["identifier"]): [*source["columns"], "source_file"]
        for source in manifest["sources"].values()
    }
    tables[("raw", "files")] = ledger.COLUMN_NAMES
    for node in manifest["nodes"].values():
        if node["resource_type"] == "seed":
            with (root / node["original_file_path"]).open(encoding="utf-8", newline="") as lines:
                tables[(node["schema"], node["alias"])] = next(csv.reader(lines))
    return tables


def _in_order(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the models, each after those that it reads."""
    models = {node["unique_id"]: node for node in _models(manifest)}
    seen: set[str] = set()

    def visit(unique_ids: Iterable[str]) -> Iterator[Mapping[str, Any]]:
        for unique_id in unique_ids:
            if unique_id in models and unique_id not in seen:
                seen.add(unique_id)
                yield from visit(sorted(models[unique_id]["depends_on"]["nodes"]))
                yield models[unique_id]

    yield from visit(sorted(models))


def _models(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def _read_off(version_: str) -> ProjectLineage:
    manifest = dbt.project().manifest
    try:
        compiled = _compiled_for_full_build()
    except dbt.DbtError as error:
        return ProjectLineage(version_, {}, {"the project": str(error)})
    return lineage_of_project(manifest, compiled, PROJECT_ROOT, version_)


def _compiled_for_full_build() -> dict[str, str]:
    """Return every model's SQL as a first night over an empty raw zone would run it."""
    with tempfile.TemporaryDirectory(prefix="engagement-lineage-") as name:
        folder = Path(name)
        zone = raw_zone.empty_zone(folder, read_contract(PROJECT_ROOT))
        raw_zone.open_views(folder / "staging.duckdb", zone, hash_key="")
        (folder / "profiles.yml").write_text(_EMPTY_PROFILE.format(folder=folder), encoding="utf-8")
        return dbt.compile_models(dbt.project().load(), profiles=folder, target=folder / "target")


def _fingerprint(root: Path) -> str:
    files = [root / name for name in _FILES]
    for folder in _FOLDERS:
        files.extend(path for path in (root / folder).rglob("*") if path.is_file())
    return f"{dbt.fingerprint(files, root)[:16]}-sqlglot-{version('sqlglot')}"


def _packed(lineage: ProjectLineage) -> dict[str, Any]:
    models = [
        {
            "table": table,
            "columns": [
                [column, [[*_fields(origin), kind] for origin, kind in sorted(origins.items())]]
                for column, origins in query.columns.items()
            ],
            "rows": [_fields(origin) for origin in sorted(query.rows)],
        }
        for table, query in lineage.models.items()
    ]
    return {"version": lineage.version, "models": models, "failures": dict(lineage.failures)}


def _fields(origin: Origin) -> list[str]:
    return [origin.schema, origin.table, origin.column]


def _unpacked(packed: Mapping[str, Any]) -> ProjectLineage:
    models = {
        (packed_model["table"][0], packed_model["table"][1]): StatementLineage(
            {
                column: {Origin(*fields): kind for *fields, kind in origins}
                for column, origins in packed_model["columns"]
            },
            frozenset(Origin(*fields) for fields in packed_model["rows"]),
        )
        for packed_model in packed["models"]
    }
    return ProjectLineage(packed["version"], models, packed["failures"])
