"""dbt inside this process: parsed once, invoked once per layer, and no file left locked.

dbt's own start (imports, parsing, its version check in a child process) costs more than many a night's SQL.
So the project is parsed when its files changed and never in a night, the parsed manifest is handed to
`dbtRunner`, and whatever dbt would print goes to a callback. What does NOT belong here: Dagster, SQL.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.settings import PROJECT_ROOT
from warehouse.engine_errors import without_values
from warehouse.night import Basis

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

    from warehouse.raw_zone import RawZone

# The order in which data takes its way; a test belongs to the latest layer that it looks at.
LAYERS = ("raw", "seeds", "staging", "intermediate", "marts", "audit")
# Layers that one invocation of dbt builds: seeds are the ground that staging stands on.
STEPS: Mapping[str, tuple[str, ...]] = {
    "staging": ("seeds", "staging"),
    "intermediate": ("intermediate",),
    "marts": ("marts",),
    "audit": ("audit",),
}
# Raw tables whose rows need a rate, and are read again when the first of a currency comes.
_WAIT_FOR_RATES = ("orders", "order_returns")
_PACKAGE = "engagement_warehouse"
_PARSED = PROJECT_ROOT / "target" / "orchestration"
_PROJECT_FILES = ("dbt_project.yml", "profiles.yml")
_PROJECT_FOLDERS = ("models", "macros", "seeds", "tests/dbt")


class DbtError(RuntimeError):
    """dbt could not do what it was asked to, before it came to any model."""


@dataclass(frozen=True)
class NodeResult:
    """What became of one node.

    Attributes:
        unique_id: dbt's id.
        name: Name of the model, seed or test.
        resource_type: model, seed or test.
        status: dbt's word: success, error, skipped, pass, fail or warn.
        started_at: When it started (UTC), if it did.
        seconds: Time that it took.
        message: What the engine said, without the values of rows that it quotes.
        failures: Rows that broke a test.
        query: SQL of a test, as the engine ran it; empty for anything else.
    """

    unique_id: str
    name: str
    resource_type: str
    status: str
    started_at: datetime | None
    seconds: float
    message: str
    failures: int | None
    query: str = ""

    @property
    def is_test(self) -> bool:
        """Whether it checks data rather than builds it."""
        return self.resource_type == "test"

    @property
    def is_failure(self) -> bool:
        """Whether it stops the night."""
        return self.status in ("error", "fail", "runtime error")


def layer_of(node: Mapping[str, Any]) -> str:
    """Return the layer of a manifest node that is no test: its folder is its layer."""
    if node["resource_type"] == "source":
        return "raw"
    if node["resource_type"] == "seed":
        return "seeds"
    folder = str(node["original_file_path"]).split("/")[1]
    if folder not in LAYERS:
        raise DbtError(f"{node['original_file_path']} stands in no layer; move it below models/<layer>/.")
    return folder


def topic_of(node: Mapping[str, Any]) -> str | None:
    """Return the folder of a model or source below its layer, e.g. the channel; `None` without one."""
    folders = str(node["original_file_path"]).split("/")[2:-1]
    return folders[0] if folders else None


def test_layer(manifest: Mapping[str, Any], unique_id: str) -> str:
    """Return the layer of a test: the latest of the layers that it looks at."""
    parents = manifest["nodes"][unique_id]["depends_on"]["nodes"]
    layers = [layer_of(manifest["nodes"].get(parent) or manifest["sources"][parent]) for parent in parents]
    return max(layers, key=LAYERS.index, default="staging")


def marts_written_apart(manifest: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the marts of which the rows that a night writes stand apart, too; see macro `restated`.

    Returns:
        Mart to the column of the month where only its closed months do: open ones are found by it.
    """
    scopes = {
        node["name"]: node["config"]["meta"].get("restated")
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and layer_of(node) == "marts"
    }
    return {
        name: scope["since"] if scope["unit"] == "month" else None
        for name, scope in sorted(scopes.items())
        if scope
    }


def snapshot_grains(manifest: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the marts that a night carries on by the month, each with the columns of its grain."""
    nodes: Mapping[str, Any] = manifest["nodes"]
    months = {mart for mart, month in marts_written_apart(manifest).items() if month}
    monthly = {
        unique_id: node["name"]
        for unique_id, node in nodes.items()
        if node["resource_type"] == "model" and node["name"] in months
    }
    return {
        monthly[node["attached_node"]]: tuple(node["test_metadata"]["kwargs"]["columns"])
        for node in nodes.values()
        if node["resource_type"] == "test"
        and node.get("attached_node") in monthly
        and node["test_metadata"]["name"] == "unique_grain"
    }


def selection(step: str) -> list[str]:
    """Return what dbt selects for all of a step.

    Not by path: dbt looks for the files from the current directory, and finds none from any other.
    """
    return ["resource_type:seed" if layer == "seeds" else f"fqn:{_PACKAGE}.{layer}" for layer in STEPS[step]]


def stray_tests(manifest: Mapping[str, Any], step: str) -> list[str]:
    """Return the names of a step's tests that dbt would not pick with the step's models by itself.

    dbt picks a test with the models when all that it looks at is selected or upstream of the selection. A
    test that compares two branches is neither, and would never run.
    """
    nodes: Mapping[str, Any] = manifest["nodes"]
    selected = {
        unique_id
        for unique_id, node in nodes.items()
        if node["resource_type"] in ("model", "seed") and layer_of(node) in STEPS[step]
    }
    reached = selected | _ancestors(manifest, selected)
    return sorted(
        ".".join(node["fqn"])
        for unique_id, node in nodes.items()
        if node["resource_type"] == "test"
        and test_layer(manifest, unique_id) in STEPS[step]
        and not (
            reached.issuperset(node["depends_on"]["nodes"])
            and selected.intersection(node["depends_on"]["nodes"])
        )
    )


def variables(
    *,
    run_id: str,
    as_of: str,
    business_time_zone: str,
    reporting_currency: str,
    source_time_zones: Mapping[str, str],
    basis: Basis | None = None,
    restated_models: Sequence[str] = (),
    reread_tables: Sequence[str] = (),
    has_tombstones: bool = False,
) -> dict[str, Any]:
    """Return dbt's variables of one night; without a basis it builds everything."""
    basis = basis or Basis(number=1)
    return {
        "night_number": basis.number,
        "last_night_number": basis.last_number,
        "last_as_of": "" if basis.last_as_of is None else basis.last_as_of.isoformat(),
        "known_until": "" if basis.known_until is None else basis.known_until.isoformat(" "),
        "restated_models": list(restated_models),
        "reread_tables": list(reread_tables),
        "has_tombstones": has_tombstones,
        "run_id": run_id,
        "as_of": as_of,
        "business_time_zone": business_time_zone,
        "reporting_currency": reporting_currency,
        "source_time_zones": dict(source_time_zones),
    }


def tables_that_may_be_read_whole(
    zone: RawZone, *, reread_tables: Sequence[str], has_tombstones: bool, restated_models: Sequence[str]
) -> set[str]:
    """Return the raw tables of which staging may ask for rows of files that are not new.

    Staging decides that itself, in the middle of a night (macro `is_reread`); this is what could make it,
    and rather too much than too little.

    Args:
        zone: What the raw zone holds.
        reread_tables: Raw tables that are read whole in any case.
        has_tombstones: Whether anybody is erased: rows that belong to theirs go with them.
        restated_models: Models that are built anew.
    """
    if has_tombstones or any(model.startswith(("base_", "stg_")) for model in restated_models):
        return {files.table.name for files in zone.tables}
    has_new_rates = any(
        files.arrived or files.is_reread for files in zone.tables if files.table.name == "exchange_rates"
    )
    return {*reread_tables, *(_WAIT_FOR_RATES if has_new_rates else ())}


def build_arguments(
    *,
    select: Sequence[str],
    variables: Mapping[str, Any],
    target: Path,
    project: Path = PROJECT_ROOT,
) -> list[str]:
    """Return the arguments of one `dbt build`.

    Args:
        select: What to build, in dbt's selection syntax.
        variables: dbt's variables.
        target: Folder for compiled SQL, the warehouse's own, so that two warehouses do not meet.
        project: The dbt project.
    """
    return [
        "--log-level",
        "none",
        # what became of every model stands in audit.model_runs; a log costs a tenth of a quiet night
        "--log-level-file",
        "none",
        "--log-path",
        str(target),
        "--no-write-json",
        # Whatever macros look for is in dbt's cache before the first model is built. A schema that it fills
        # when it is first asked for is seen half filled by another thread: seeds that are there, and the
        # blocked identifiers with them, would be passed over.
        "--no-cache-selected-only",
        "build",
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--target-path",
        str(target),
        # Tests of logic are for the test suite, a night tests data; what readers make of it is not built.
        *("--exclude-resource-type", "unit_test", "--exclude-resource-type", "exposure"),
        "--indirect-selection",
        "buildable",
        "--vars",
        json.dumps(variables, sort_keys=True),
        "--select",
        *select,
    ]


def build(
    arguments: Sequence[str], manifest: Manifest, on_built: Callable[[str, str, float], None]
) -> list[NodeResult]:
    """Run dbt in this process and leave no database file open.

    Args:
        arguments: See `build_arguments`.
        manifest: The parsed project.
        on_built: Called with name, status and seconds when a model or seed is done, from dbt's threads.

    Raises:
        DbtError: dbt came to no model at all: the message is dbt's own.
    """
    from dbt.cli.main import dbtRunner

    def tell(event: Any) -> None:
        if event.info.name == "NodeFinished" and event.data.node_info.resource_type in ("model", "seed"):
            node = event.data.node_info
            on_built(node.node_name, node.node_status, event.data.run_result.execution_time)

    try:
        outcome = dbtRunner(manifest=manifest, callbacks=[tell]).invoke(list(arguments))
    finally:
        release()
    results = getattr(outcome.result, "results", None)
    if results is None:
        raise DbtError(_first_line(outcome.exception) or "dbt failed without saying why.")
    return [_node_result(result) for result in results]


def compiled(template: str, *, variables: Mapping[str, Any], target: Path) -> str:
    """Return the SQL that a template makes of the project's macros over the configured warehouse.

    Args:
        template: Jinja, as in a model; it names no person, since dbt may write it down.
        variables: dbt's variables.
        target: Folder for what dbt writes.

    Raises:
        DbtError: It does not compile; the message is dbt's own.
    """
    from dbt.cli.main import dbtRunner

    arguments = [
        *("--quiet", "--log-level", "none", "--log-level-file", "none", "--log-path", str(target)),
        *("--no-write-json", "compile", "--inline", template),
        *("--project-dir", str(PROJECT_ROOT), "--profiles-dir", str(PROJECT_ROOT)),
        *("--target-path", str(target), "--vars", json.dumps(variables, sort_keys=True)),
    ]
    try:
        outcome = dbtRunner(manifest=project().load()).invoke(arguments)
    finally:
        release()
    results = getattr(outcome.result, "results", None)
    if not results:
        raise DbtError(_first_line(outcome.exception) or "dbt compiled nothing and did not say why.")
    return str(results[0].node.compiled_code)


def compile_models(
    manifest: Manifest, *, profiles: Path, target: Path, project: Path = PROJECT_ROOT
) -> dict[str, str]:
    """Return the SQL of every model by dbt's id, as a first night would run it; leave no file open.

    Args:
        manifest: The parsed project; its own from now on.
        profiles: Folder of the profile, which says what the macros find when they look at a database.
        target: Folder for dbt.
        project: The dbt project.

    Raises:
        DbtError: dbt could not compile; the message is its own.
    """
    from dbt.cli.main import dbtRunner

    quiet = ["--log-level", "none", "--log-level-file", "none", "--log-path", str(target), "--no-write-json"]
    arguments = [*quiet, "compile", "--project-dir", str(project), "--profiles-dir", str(profiles)]
    arguments += ["--target-path", str(target), "--select", "resource_type:model", "--threads", "1"]
    try:
        outcome = dbtRunner(manifest=manifest).invoke(arguments)
    finally:
        release()
    if not outcome.success:
        raise DbtError(_first_line(outcome.exception) or "dbt could not compile the models.")
    return {
        unique_id: getattr(node, "compiled_code", None) or ""
        for unique_id, node in manifest.nodes.items()
        if str(node.resource_type) == "model"
    }


def release() -> None:
    """Close the connection that dbt-duckdb keeps for the life of the process, and with it the file's lock."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()
        DuckDBConnectionManager._ENV = None


def generate_docs(target: Path, project: Path = PROJECT_ROOT) -> Path:
    """Write dbt's documentation as one page that needs no server; return it.

    Raises:
        DbtError: dbt could not read the project or the warehouse.
    """
    from dbt.cli.main import dbtRunner

    arguments = ["--quiet", "docs", "generate", "--static", "--project-dir", str(project)]
    try:
        outcome = dbtRunner().invoke(
            [*arguments, "--profiles-dir", str(project), "--target-path", str(target)]
        )
    finally:
        release()
    if not outcome.success:
        raise DbtError(_first_line(outcome.exception) or "dbt could not write its documentation.")
    return target / "static_index.html"


def fingerprint(paths: Iterable[Path], root: Path) -> str:
    """Return a hash over the names and contents of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def seeds_hash(project: Path = PROJECT_ROOT) -> str:
    """Return the fingerprint of the business decisions under `seeds/`."""
    return fingerprint((project / "seeds").rglob("*.csv"), project)[:16]


@dataclass(frozen=True)
class Project:
    """The dbt project as it was parsed; one process sticks to one, whatever happens to the files meanwhile.

    Attributes:
        manifest: Content of `manifest.json`, for reading only.
        packed: The same for dbt itself, as dbt packs it.
    """

    manifest: Mapping[str, Any]
    packed: bytes

    def load(self) -> Manifest:
        """Return a fresh manifest for one night.

        dbt writes compiled SQL into the manifest that it is given and would take it for its own in the next
        night, so two nights never share one.
        """
        from dbt.contracts.graph.manifest import Manifest
        from dbt.parser.manifest import extended_mashumuro_decoder

        # manifest.json would do for models, but comes back without the arguments of generic tests.
        manifest: Manifest = Manifest.from_msgpack(self.packed, decoder=extended_mashumuro_decoder)
        manifest.build_flat_graph()  # type: ignore[no-untyped-call]
        return manifest


@lru_cache(maxsize=1)
def project() -> Project:
    """Return this checkout's dbt project, parsed now if its files have changed since it last was.

    Raises:
        DbtError: The project does not parse; the message is dbt's own.
    """
    return parsed_project(PROJECT_ROOT, _PARSED)


def parsed_project(root: Path, parsed: Path) -> Project:
    """Return a dbt project, parsed now if its files have changed since it last was.

    Args:
        root: The project.
        parsed: Folder that keeps what dbt parsed, and the fingerprint of what it parsed.

    Raises:
        DbtError: The project does not parse; the message is dbt's own.
    """
    manifest = parsed / "manifest.json"
    packed = parsed / "partial_parse.msgpack"
    stamp = parsed / "fingerprint"
    with _one_parser(parsed):
        now = _project_fingerprint(root)
        if not (stamp.is_file() and stamp.read_text(encoding="ascii") == now):
            stamp.unlink(missing_ok=True)
            _parse(root, parsed)
            stamp.write_text(now, encoding="ascii")
        return Project(json.loads(manifest.read_text(encoding="utf-8")), packed.read_bytes())


def semantic_manifest() -> str:
    """Return what this checkout's dbt project says to MetricFlow, as JSON.

    Raises:
        DbtError: The project does not parse; the message is dbt's own.
    """
    project()
    return (_PARSED / "semantic_manifest.json").read_text(encoding="utf-8")


def _parse(project: Path, target: Path) -> None:
    from dbt.cli.main import dbtRunner

    arguments = ["--log-level", "none", "--log-path", str(target), "parse", "--project-dir", str(project)]
    outcome = dbtRunner().invoke([*arguments, "--profiles-dir", str(project), "--target-path", str(target)])
    release()
    if not outcome.success:
        raise DbtError(f"The dbt project does not parse: {outcome.exception}")


def _project_fingerprint(project: Path) -> str:
    files = [project / name for name in _PROJECT_FILES]
    for folder in _PROJECT_FOLDERS:
        files.extend(path for path in (project / folder).rglob("*") if path.is_file())
    return f"{version('dbt-core')}-{fingerprint(files, project)}"


@contextmanager
def _one_parser(parsed: Path) -> Iterator[None]:
    """Let one process at a time look at, and write, the parsed manifest."""
    parsed.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(parsed / "lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _ancestors(manifest: Mapping[str, Any], unique_ids: Iterable[str]) -> set[str]:
    found: set[str] = set()
    todo = list(unique_ids)
    while todo:
        for parent in manifest["parent_map"].get(todo.pop(), []):
            if parent not in found:
                found.add(parent)
                todo.append(parent)
    return found


def _node_result(result: Any) -> NodeResult:
    started = [timing.started_at for timing in result.timing if timing.started_at is not None]
    return NodeResult(
        unique_id=result.node.unique_id,
        name=result.node.name,
        resource_type=str(result.node.resource_type),
        status=str(result.status),
        started_at=min(started, default=None),
        seconds=float(result.execution_time or 0.0),
        message=" ".join(without_values(str(result.message or "")).split()),
        failures=result.failures,
        query=(getattr(result.node, "compiled_code", None) or "")
        if result.node.resource_type == "test"
        else "",
    )


def _first_line(error: BaseException | None) -> str:
    return " ".join(str(error or "").split())
