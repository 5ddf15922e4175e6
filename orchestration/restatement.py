"""Which models a night builds anew because they, a seed or a macro have changed, and why.

Every model has a fingerprint of what its rows follow from: its SQL, the macros that it calls, its columns,
the raw contract of its sources and the seeds that it reads. A description or a comment changes no row and
restates nothing. What does NOT belong here: SQL, and how a model is built anew (`macros/night.sql`).
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration import dbt
from orchestration.settings import PROJECT_ROOT

Fingerprint = Mapping[str, str]
"""Parts that a model follows from (SQL, columns, macro NAME, source NAME, seed NAME: ROW) to hashes."""

Row = Mapping[str, str]
Rows = Mapping[str, str]
"""What a model reads of a seed: the name of a row, empty for the seed as a whole, to its content."""

_PACKAGE = "engagement_warehouse"
# How a night works, not what a row says; but for what is stored of it.
_MACHINERY = "macros/night.sql"
_STORED_BY_MACHINERY = frozenset({"key_hash", "default__key_hash", "duckdb__key_hash"})
# Who is restated is found out in every night anew: nothing that is stored comes from these models.
_SCOPE = "int_night__"
# Row accounts hold these against each other: what is handed over feeds both.
_ACCOUNTED_TOGETHER = (
    frozenset({"int_interactions__identified", "int_touches__identified"}),
    frozenset({"fct_interactions", "fct_touches"}),
)
_JINJA = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
_JINJA_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_CALL = re.compile(r"""\bdispatch\(\s*["'](\w+)["']|\b(\w+)\s*\(""")
_NAMED_THRESHOLD = re.compile(r"""\bthreshold(?:_literal)?\(\s*["'](\w+)["']\s*\)""")
_ANY_THRESHOLD = re.compile(r"\bthreshold(?:_literal)?\(")
_THRESHOLDS_VERSION = "thresholds_version"
_THRESHOLD_MACROS = frozenset({"threshold", "threshold_literal", _THRESHOLDS_VERSION})
# Materializations that keep the rows of earlier nights.
_STORED = frozenset({"incremental", "connected_components"})
# A model that asks this holds tonight's rows only, unless it is stored.
_NIGHT_OR_NOT = "builds_on_last_night"
_OWN_PARTS = ("SQL", "columns")
_TOLD_MODELS = 3
_BUILT_ALONG = "needed whole by others that are"


@dataclass(frozen=True)
class Code:
    """The texts of a model: its own SQL, and the macros that it calls, by name."""

    sql: str
    macros: Mapping[str, str]

    @property
    def texts(self) -> Iterator[str]:
        """All of them."""
        yield self.sql
        yield from self.macros.values()

    def refers_to(self, seed: str) -> bool:
        """Whether the model reads a seed itself, and not only to be built after it."""
        return f'ref("{seed}")' in self.sql or f"ref('{seed}')" in self.sql


SeedRule = Callable[[Code, Sequence[Row]], Rows]
"""Finds what a model reads of a seed; see `SEED_RULES`."""


@dataclass(frozen=True)
class Restatement:
    """What is built anew tonight.

    Attributes:
        models: Names of the models that are built anew: changed ones, all that follows from them, and what
            must be whole for that; sorted.
        causes: Of these, what follows from a change, with the change in words; the others are built along.
        reasons: What has changed, for people; empty when nothing has.
    """

    models: tuple[str, ...] = ()
    causes: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()

    def why(self, model: str) -> str | None:
        """Return why a model is built anew, in words; None when it is not."""
        return self.causes.get(model, _BUILT_ALONG) if model in self.models else None


def named_thresholds(code: Code, rows: Sequence[Row]) -> Rows:
    """Return the thresholds that a model names, and the seed's version if it carries that.

    All of them when it reads the seed in another way.
    """
    values = {row["threshold"]: row["value"] for row in rows}
    named = {name for text in code.texts for name in _NAMED_THRESHOLD.findall(text)}
    callers = [text for name, text in code.macros.items() if name not in _THRESHOLD_MACROS]
    calls = [_NAMED_THRESHOLD.sub("", text) for text in (code.sql, *callers)]
    if code.refers_to("thresholds") or any(_ANY_THRESHOLD.search(text) for text in calls):
        return values
    if _THRESHOLDS_VERSION in code.macros:
        named.add(_THRESHOLDS_VERSION)
        values[_THRESHOLDS_VERSION] = max((row[_THRESHOLDS_VERSION] for row in rows), default="")
    return {name: values.get(name, "") for name in sorted(named)}


# A seed that is not here counts as a whole.
SEED_RULES: Mapping[str, SeedRule] = {"thresholds": named_thresholds}


def fingerprints(manifest: Mapping[str, Any], project: Path = PROJECT_ROOT) -> dict[str, Fingerprint]:
    """Return the fingerprint of every model by its name.

    Args:
        manifest: Content of dbt's `manifest.json`.
        project: The dbt project, for the content of its seeds.
    """
    macros = _project_macros(manifest)
    engine = str(manifest["metadata"]["adapter_type"])
    seeds = {
        unique_id: (node["name"], _rows(project / node["original_file_path"]))
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "seed"
    }
    found: dict[str, Fingerprint] = {}
    for node in _models(manifest).values():
        code = _code(node, macros, engine)
        is_scope = node["name"].startswith(_SCOPE)
        parts = {"SQL": _hash(code.sql), "columns": _hash(_columns(node))}
        parts |= {
            f"macro {name}": _hash(text)
            for name, text in code.macros.items()
            if macros[name]["original_file_path"] != _MACHINERY or name in _STORED_BY_MACHINERY
        }
        for parent in sorted(set(node["depends_on"]["nodes"])):
            if parent in manifest["sources"]:
                source = manifest["sources"][parent]
                parts[f"source {source['name']}"] = _hash(_contract(source))
            elif parent in seeds and not is_scope:
                name, rows = seeds[parent]
                read = SEED_RULES.get(name, _whole)(code, rows)
                parts |= {
                    f"seed {name}: {row}" if row else f"seed {name}": _hash(text)
                    for row, text in read.items()
                }
        found[node["name"]] = parts
    return found


def restatement(
    manifest: Mapping[str, Any], now: Mapping[str, Fingerprint], before: Mapping[str, Fingerprint]
) -> Restatement:
    """Return what must be built anew, given the fingerprints of the last succeeded night.

    A changed model is, and everything that follows from it. Models above a stored one that is built anew are,
    too, if they hold tonight's rows only; and so are other stored models below these, since they would take
    a whole history for tonight's rows.
    """
    changed: dict[str, list[str]] = defaultdict(list)
    for name in sorted(now):
        for change in _differences(name, now[name], before.get(name)):
            changed[change].append(name)
    if not changed:
        return Restatement()
    flow = _Flow(manifest)
    causes: dict[str, list[str]] = defaultdict(list)
    for change, names in sorted(changed.items()):
        for name in flow.following(names):
            causes[name].append(change)
    return Restatement(
        models=tuple(sorted(flow.closed(causes))),
        causes={name: ", ".join(changes) for name, changes in sorted(causes.items())},
        reasons=tuple(_told(change, names) for change, names in sorted(changed.items())),
    )


def _differences(name: str, parts: Fingerprint, former: Fingerprint | None) -> Iterator[str]:
    """What has changed of a model since the last succeeded night, in words."""
    if former is None:
        yield f"new model {name}"
        return
    for part in sorted(parts.keys() | former.keys()):
        if parts.get(part) != former.get(part):
            yield f"model {name} ({part})" if part in _OWN_PARTS else part


def _told(change: str, names: Sequence[str]) -> str:
    if change.startswith(("model ", "new model ")):
        return change
    return f"{change} (read by {shortened(names, _TOLD_MODELS)})"


def shortened(names: Sequence[str], shown: int) -> str:
    """Return the first of many names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


class _Flow:
    """Which model is made from which, by name."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self._nodes = {node["name"]: node for node in _models(manifest).values()}
        self._parents: dict[str, set[str]] = {name: set() for name in self._nodes}
        self._children: dict[str, set[str]] = {name: set() for name in self._nodes}
        for name, node in self._nodes.items():
            for unique_id in node["depends_on"]["nodes"]:
                if unique_id.startswith("model."):
                    parent = manifest["nodes"][unique_id]["name"]
                    self._parents[name].add(parent)
                    self._children[parent].add(name)
        macros = _project_macros(manifest)
        engine = str(manifest["metadata"]["adapter_type"])
        by_the_night = {
            name
            for name, node in self._nodes.items()
            if not self._is_stored(name)
            and not _is_scope(name)
            and _NIGHT_OR_NOT in _code(node, macros, engine).macros
        }
        self._partial: set[str] = set()
        todo = list(by_the_night)
        while todo:
            name = todo.pop()
            if name not in self._partial and not self._is_stored(name):
                self._partial.add(name)
                todo.extend(self._children[name])

    def following(self, names: Iterable[str]) -> set[str]:
        """The models, and those whose rows follow from theirs.

        The quarantine is not followed into: it judges the rows of a table that is built anew again and keeps
        those of others. Nor is the night's scope, unless it has changed itself.
        """
        found: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name in found:
                continue
            found.add(name)
            todo.extend(
                child
                for child in self._children[name]
                if self._strategy(child) != "held_back" and (_is_scope(name) or not _is_scope(child))
            )
        return found

    def closed(self, names: Iterable[str]) -> set[str]:
        """The models, with all that must be whole for them; not the accounts, made in every night."""
        anew = {name for name in names if not self._is_account(name)}
        before = -1
        while len(anew) != before:
            before = len(anew)
            for name in [name for name in anew if self._is_stored(name)]:
                anew |= self._partial_from(name, self._parents)
            for name in anew & self._partial:
                whole = self._partial_from(name, self._children) | {name}
                below = {child for parent in whole for child in self._children[parent]}
                anew |= {fed for fed in below if self._strategy(fed) == "restated"}
            for group in _ACCOUNTED_TOGETHER:
                if anew & group:
                    anew |= group & self._nodes.keys()
        return anew

    def _partial_from(self, start: str, edges: Mapping[str, Iterable[str]]) -> set[str]:
        """The models above or below one that hold tonight's rows only, as far as they touch each other."""
        found: set[str] = set()
        todo = list(edges[start])
        while todo:
            name = todo.pop()
            if name in self._partial and name not in found and not self._is_account(name):
                found.add(name)
                todo.extend(edges[name])
        return found

    def _is_stored(self, name: str) -> bool:
        return bool(self._nodes[name]["config"]["materialized"] in _STORED)

    def _strategy(self, name: str) -> str | None:
        strategy: str | None = self._nodes[name]["config"].get("incremental_strategy")
        return strategy if self._is_stored(name) else None

    def _is_account(self, name: str) -> bool:
        """Whether it says what the night has handled, and so depends on how the others were built."""
        return dbt.layer_of(self._nodes[name]) == "audit"


def _is_scope(name: str) -> bool:
    return name.startswith(_SCOPE)


def _models(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {
        unique_id: node for unique_id, node in manifest["nodes"].items() if node["resource_type"] == "model"
    }


def _project_macros(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {
        macro["name"]: macro for macro in manifest["macros"].values() if macro["package_name"] == _PACKAGE
    }


def _code(node: Mapping[str, Any], macros: Mapping[str, Mapping[str, Any]], engine: str) -> Code:
    """The code of a model: its SQL and every macro of the project that it may call, branch or no branch.

    dbt notes only the macros that were called when it parsed, and there it takes a full build's branches.
    """
    materialization = f"materialization_{node['config']['materialized']}"
    sql = _without_comments(node["raw_code"])
    found: dict[str, str] = {}
    todo = {*_called(sql, macros, engine), f"{materialization}_{engine}", f"{materialization}_default"}
    todo |= {unique_id.rsplit(".", 1)[-1] for unique_id in node["depends_on"]["macros"]}
    while todo:
        name = todo.pop()
        if name in macros and name not in found:
            found[name] = _without_comments(macros[name]["macro_sql"])
            todo |= _called(found[name], macros, engine)
    return Code(sql, dict(sorted(found.items())))


def _called(text: str, macros: Mapping[str, Mapping[str, Any]], engine: str) -> set[str]:
    """Names of macros that a text calls; where engines differ, the one of this engine."""
    names: set[str] = set()
    for block in _JINJA.findall(text):
        for dispatched, called in _CALL.findall(block):
            own = f"{engine}__{dispatched}"
            names.add(called or (own if own in macros else f"default__{dispatched}"))
    return names


def _whole(_: Code, rows: Sequence[Row]) -> Rows:
    return {"": json.dumps([dict(row) for row in rows])}


def _rows(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _columns(node: Mapping[str, Any]) -> str:
    declared = {name: column.get("data_type") for name, column in node["columns"].items()}
    config = {key: node["config"].get(key) for key in ("materialized", "incremental_strategy", "meta")}
    return json.dumps([declared if node["config"]["contract"]["enforced"] else {}, config], sort_keys=True)


def _contract(source: Mapping[str, Any]) -> str:
    """What the raw contract asks of a table, without its descriptions."""
    columns = {
        name: [column.get("data_type"), column.get("meta"), (column.get("config") or {}).get("meta")]
        for name, column in source["columns"].items()
    }
    return json.dumps([columns, source.get("meta"), (source.get("config") or {}).get("meta")], sort_keys=True)


def _without_comments(text: str) -> str:
    """A text without Jinja's comments, whole lines of SQL comment, and white space that means nothing."""
    lines = (line.strip() for line in _JINJA_COMMENT.sub("", text).splitlines())
    return " ".join(" ".join(line.split()) for line in lines if line and not line.startswith("--"))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
