"""Which models a night builds anew because they, a seed or a macro have changed, and why.

Every model has a fingerprint of what its rows follow from: its SQL, the macros that it calls, its columns and
the seeds that it reads. Of seed `thresholds` only the numbers that the model names count. A description or a
comment in YAML changes no row and restates nothing. What does NOT belong here: SQL, and how a model is built
anew (`macros/night.sql`).
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.settings import PROJECT_ROOT

Fingerprint = Mapping[str, str]
"""Parts that a model follows from (sql, columns, macro NAME, seed NAME, threshold NAME) to hashes."""

_THRESHOLDS = "thresholds"
_NAMED_THRESHOLD = re.compile(r"""threshold(?:_literal)?\(\s*["'](\w+)["']\s*\)""")
_WHITE_SPACE = re.compile(r"\s+")
_PACKAGE = "engagement_warehouse"


@dataclass(frozen=True)
class Restatement:
    """What is built anew tonight.

    Attributes:
        models: Names of the models, and of those above them that must be whole for it.
        reasons: What has changed, for people; empty when nothing has.
    """

    models: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


def fingerprints(manifest: Mapping[str, Any], project: Path = PROJECT_ROOT) -> dict[str, Fingerprint]:
    """Return the fingerprint of every model by its name.

    Args:
        manifest: Content of dbt's `manifest.json`.
        project: The dbt project, for the content of its seeds.
    """
    nodes: Mapping[str, Any] = manifest["nodes"]
    thresholds = _rows_by_key(project / "seeds" / f"{_THRESHOLDS}.csv")
    found: dict[str, Fingerprint] = {}
    for node in nodes.values():
        if node["resource_type"] != "model":
            continue
        macros = _macros(manifest, node["depends_on"]["macros"])
        code = [node["raw_code"], *(macro["macro_sql"] for macro in macros.values())]
        named = {name for text in code for name in _NAMED_THRESHOLD.findall(text)}
        parts = {"sql": _hash(_squeezed(node["raw_code"])), "columns": _hash(_columns(node))}
        parts |= {f"macro {name}": _hash(_squeezed(macro["macro_sql"])) for name, macro in macros.items()}
        parts |= {f"threshold {name}": _hash(thresholds.get(name, "")) for name in sorted(named)}
        for parent in node["depends_on"]["nodes"]:
            seed = nodes.get(parent)
            if seed and seed["resource_type"] == "seed" and seed["name"] != _THRESHOLDS:
                content = (project / seed["original_file_path"]).read_bytes()
                parts[f"seed {seed['name']}"] = hashlib.sha256(content).hexdigest()[:16]
        found[node["name"]] = parts
    return found


def restatement(
    manifest: Mapping[str, Any], now: Mapping[str, Fingerprint], before: Mapping[str, Fingerprint]
) -> Restatement:
    """Return what must be built anew, given the fingerprints of the last succeeded night.

    A changed model is, and everything below it; and what lies above a stored model that is built anew, up to
    the next stored ones: in an ordinary night such a model holds tonight's rows only.
    """
    ids = {node["name"]: uid for uid, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    changed = {name for name, parts in now.items() if parts != before.get(name)}
    reasons: dict[str, list[str]] = {}
    for name in sorted(changed):
        parts, former = now[name], before.get(name)
        if former is None:
            reasons.setdefault("new model", []).append(name)
            continue
        for part in sorted(
            part for part in parts.keys() | former.keys() if parts.get(part) != former.get(part)
        ):
            reasons.setdefault(part if part not in ("sql", "columns") else f"{part} of the model", []).append(
                name
            )
    anew = _reached(manifest["child_map"], (ids[name] for name in changed))
    # the quarantine judges rows of a table that is built anew again, and keeps those of others
    anew -= {
        uid
        for uid in anew
        if manifest["nodes"][uid]["config"].get("incremental_strategy") == "held_back"
        and manifest["nodes"][uid]["name"] not in changed
    }
    whole = set(anew)
    for uid in anew:
        if _is_stored(manifest, uid):
            whole |= _up_to_stored(manifest, uid)
    names = sorted(manifest["nodes"][uid]["name"] for uid in whole)
    return Restatement(tuple(names), tuple(_told(part, models) for part, models in reasons.items()))


def _told(part: str, models: list[str]) -> str:
    shown = ", ".join(models[:3])
    more = f" and {len(models) - 3} more" if len(models) > 3 else ""
    return f"{part} ({shown}{more})"


def _macros(manifest: Mapping[str, Any], names: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """The project's own macros that some call, directly or through others, by name."""
    found: dict[str, Mapping[str, Any]] = {}
    todo = list(names)
    dispatched = _dispatched(manifest)
    while todo:
        uid = todo.pop()
        macro = manifest["macros"].get(uid)
        if macro is None or macro["package_name"] != _PACKAGE or macro["name"] in found:
            continue
        found[macro["name"]] = macro
        todo.extend(macro["depends_on"]["macros"])
        todo.extend(dispatched.get(macro["name"], ()))
    return dict(sorted(found.items()))


def _dispatched(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """The project's macros that are called by dispatch, under a name that dbt does not follow."""
    found: dict[str, list[str]] = {}
    for uid, macro in manifest["macros"].items():
        adapter, _, name = macro["name"].partition("__")
        if name and macro["package_name"] == _PACKAGE and adapter in ("default", "duckdb"):
            found.setdefault(name, []).append(uid)
    return found


def _reached(edges: Mapping[str, Iterable[str]], start: Iterable[str]) -> set[str]:
    found: set[str] = set()
    todo = list(start)
    while todo:
        uid = todo.pop()
        if uid.startswith("model.") and uid not in found:
            found.add(uid)
            todo.extend(edges.get(uid, ()))
    return found


def _up_to_stored(manifest: Mapping[str, Any], uid: str) -> set[str]:
    found: set[str] = set()
    todo = list(manifest["parent_map"].get(uid, ()))
    while todo:
        parent = todo.pop()
        if not parent.startswith("model.") or parent in found or _is_stored(manifest, parent):
            continue
        # who is restated is found out in every night that builds on another
        if manifest["nodes"][parent]["name"].startswith("int_night__"):
            continue
        found.add(parent)
        todo.extend(manifest["parent_map"].get(parent, ()))
    return found


def _is_stored(manifest: Mapping[str, Any], uid: str) -> bool:
    return bool(manifest["nodes"][uid]["config"]["materialized"] == "incremental")


def _columns(node: Mapping[str, Any]) -> str:
    declared = {name: column.get("data_type") for name, column in node["columns"].items()}
    config = {key: node["config"].get(key) for key in ("materialized", "incremental_strategy", "meta")}
    return json.dumps([declared if node["config"]["contract"]["enforced"] else {}, config], sort_keys=True)


def _rows_by_key(file: Path) -> dict[str, str]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    return {row[0]: row[1] for row in rows[1:]}


def _squeezed(text: str) -> str:
    return _WHITE_SPACE.sub(" ", text).strip()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
