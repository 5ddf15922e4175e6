"""The flow is the layout: who may read whom, what things are called, and what a channel needs to be whole.

The rules run over dbt's own manifest, so that what a macro refers to counts as well. Each rule is a function
over plain records and is shown to catch a planted offender.
"""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]

MAY_READ: Mapping[str, frozenset[str]] = {
    "staging": frozenset({"source", "seed", "staging"}),
    "intermediate": frozenset({"staging", "intermediate", "seed"}),
    "marts": frozenset({"intermediate", "marts", "seed"}),
    "audit": frozenset({"staging", "intermediate", "marts", "audit", "seed"}),
}
# The warehouse's own private key is no channel's data: it is read where hashes are made, without staging.
BUILD_FILE_SOURCES = frozenset({"hash_key"})


@dataclass(frozen=True)
class Source:
    """A raw table: the channel folder that declares it, and whether its rows are events.

    Attributes:
        events: Its rows happened at a moment that is required and not part of the key.
    """

    name: str
    folder: str
    description: str = "described"
    columns: Mapping[str, str] = field(default_factory=dict)
    events: bool = False


@dataclass(frozen=True)
class Model:
    """A model, with what it reads as (layer, name) pairs; seeds and sources are layers of their own here."""

    name: str
    path: str
    reads: frozenset[tuple[str, str]] = frozenset()
    description: str = "described"
    columns: Mapping[str, str] = field(default_factory=dict)
    yaml_path: str = ""

    @property
    def layer(self) -> str:
        """First folder below `models/`."""
        return PurePosixPath(self.path).parts[1]

    @property
    def folder(self) -> str:
        """Second folder below `models/`: the channel, the topic, or nothing."""
        parts = PurePosixPath(self.path).parts
        return parts[2] if len(parts) > 3 else ""


def misplaced_reads(models: Iterable[Model], sources: Iterable[Source]) -> Iterator[str]:
    """Reads against the flow. A dimension may show a reference table as staged: it has nothing to conform."""
    channels = {source.folder for source in sources if source.events}
    for model in models:
        for layer, name in sorted(model.reads):
            is_key = layer == "source" and name in BUILD_FILE_SOURCES and model.layer == "intermediate"
            is_reference = (
                layer == "staging"
                and model.name.startswith("dim_")
                and name.split("__")[0] not in {f"stg_{channel}" for channel in channels}
            )
            if layer not in MAY_READ.get(model.layer, frozenset()) and not is_key and not is_reference:
                yield f"{model.path} reads {layer} {name}, which {model.layer} may not"


def misnamed_models(models: Iterable[Model]) -> Iterator[str]:
    """Names that do not tell the layer and the folder."""
    for model in models:
        pattern = {
            "staging": rf"(?:base|stg)_{model.folder}__[a-z][a-z_]*",
            "intermediate": rf"int_{model.folder}__[a-z][a-z_]*",
            "marts": r"(?:dim|fct)_[a-z][a-z_]*|customer_engagement",
            "audit": r"[a-z][a-z_]*",
        }.get(model.layer)
        if pattern is None:
            yield f"{model.path}: models/{model.layer} is no layer"
        elif not re.fullmatch(pattern, model.name):
            yield f"{model.path} should be named like {pattern}"


def undescribed(models: Iterable[Model], sources: Iterable[Source]) -> Iterator[str]:
    """Models, columns and raw tables without words, and descriptions that do not stand beside their model."""
    contract = {source.name: source for source in sources}
    for source in contract.values():
        for column in (name for name, words in source.columns.items() if not words.strip()):
            yield f"raw table {source.name}: column {column} has no description"
        if not source.description.strip():
            yield f"raw table {source.name} has no description"
    by_name = {model.name: model for model in models}
    for model in by_name.values():
        if not model.description.strip():
            yield f"{model.path} has no description"
        elif PurePosixPath(model.yaml_path).parent != PurePosixPath(model.path).parent:
            yield f"{model.path} is described elsewhere, in {model.yaml_path}"
        if model.layer in ("marts", "audit") and not model.columns:
            yield f"{model.path} describes no columns"
        for column in (name for name, words in model.columns.items() if not words.strip()):
            yield f"{model.path}: column {column} has no description"
        for table in _staged_tables(model, by_name):
            columns = contract[table].columns.keys() - {"is_deleted"} if table in contract else set()
            for column in sorted(columns - model.columns.keys()):
                yield f"{model.path}: column {column} of raw table {table} is not described"


def _staged_tables(model: Model, by_name: Mapping[str, Model]) -> set[str]:
    """Raw tables that a `stg_` model stages: those that it or its base model of the same name reads."""
    if model.layer != "staging" or not model.name.startswith("stg_"):
        return set()
    base = by_name.get(model.name.replace("stg_", "base_", 1), model)
    return {name for layer, name in model.reads | base.reads if layer == "source"}


def incomplete_channels(
    models: Iterable[Model],
    sources: Iterable[Source],
    taxonomy: frozenset[str],
    suites: frozenset[str],
) -> Iterator[str]:
    """What a channel lacks: a staged table, a conformer, taxonomy rows or a suite.

    Args:
        taxonomy: Raw tables that have rows in seed interaction_types.
        suites: Modules of suites as `<layer>/<channel>`.
    """
    names = {model.name for model in models}
    staged = {
        name
        for model in models
        if model.layer == "staging"
        for layer, name in model.reads
        if layer == "source"
    }
    folders: dict[str, list[Source]] = {}
    for source in sources:
        folders.setdefault(source.folder, []).append(source)
    for folder, tables in sorted(folders.items()):
        conformer = f"int_{folder}__interactions"
        for table in tables:
            if table.name not in staged:
                yield f"channel {folder}: raw table {table.name} has no staging model"
            if table.events and table.name not in taxonomy:
                yield f"channel {folder}: seeds/interaction_types.csv has no row for {table.name}"
        if f"raw/{folder}" not in suites:
            yield f"channel {folder}: expectations/raw/{folder}.py is missing"
        if any(table.events for table in tables):
            if conformer not in names:
                yield f"channel {folder}: models/intermediate/{folder}/{conformer}.sql is missing"
            if f"staging/{folder}" not in suites:
                yield f"channel {folder}: expectations/staging/{folder}.py is missing"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """dbt's reading of the project, made afresh."""
    target = tmp_path_factory.mktemp("target")
    dbt = Path(sys.executable).with_name("dbt")
    options = [
        "--target-path",
        target,
        "--log-path",
        target,
        "--project-dir",
        PROJECT,
        "--profiles-dir",
        PROJECT,
    ]
    parsed = subprocess.run(
        [str(word) for word in (dbt, "--quiet", "parse", "--no-partial-parse", *options)],
        env=os.environ | {"ENGAGEMENT_WAREHOUSE": str(target), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert parsed.returncode == 0, parsed.stdout + parsed.stderr
    found: Mapping[str, Any] = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def models(manifest: Mapping[str, Any]) -> Sequence[Model]:
    nodes = manifest["nodes"] | manifest["sources"]

    def read(unique_id: str) -> tuple[str, str]:
        node = nodes[unique_id]
        kind = node["resource_type"]
        return (kind if kind != "model" else PurePosixPath(node["original_file_path"]).parts[1], node["name"])

    return [
        Model(
            name=node["name"],
            path=node["original_file_path"],
            reads=frozenset(read(unique_id) for unique_id in node["depends_on"]["nodes"]),
            description=node["description"],
            columns={column["name"]: column["description"] for column in node["columns"].values()},
            yaml_path=(node["patch_path"] or "").split("://")[-1],
        )
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    ]


@pytest.fixture(scope="module")
def sources(manifest: Mapping[str, Any]) -> Sequence[Source]:
    def is_event_time(column: Mapping[str, Any]) -> bool:
        meta = column["config"]["meta"]
        return bool(meta.get("event_time") and meta.get("required") and not meta.get("key"))

    return [
        Source(
            name=node["name"],
            folder=PurePosixPath(node["original_file_path"]).parts[2],
            description=node["description"],
            columns={column["name"]: column["description"] for column in node["columns"].values()},
            events=any(is_event_time(column) for column in node["columns"].values()),
        )
        for node in manifest["sources"].values()
        if node["name"] not in BUILD_FILE_SOURCES
    ]


def test_the_project_was_read(models: Sequence[Model], sources: Sequence[Source]) -> None:
    assert {model.layer for model in models} == {"staging", "intermediate", "marts", "audit"}
    assert {source.folder for source in sources if source.events} == {
        "community", "coupons", "loyalty", "messages", "orders", "referrals", "reviews", "social", "stores",
        "support", "surveys", "web",
    }  # fmt: skip


def test_layers_read_only_what_lies_before_them(models: Sequence[Model], sources: Sequence[Source]) -> None:
    assert list(misplaced_reads(models, sources)) == []


def test_names_tell_layer_and_folder(models: Sequence[Model]) -> None:
    assert list(misnamed_models(models)) == []


def test_models_and_columns_are_described(models: Sequence[Model], sources: Sequence[Source]) -> None:
    assert list(undescribed(models, sources)) == []


def test_every_channel_is_whole(models: Sequence[Model], sources: Sequence[Source]) -> None:
    with (PROJECT / "seeds" / "interaction_types.csv").open(encoding="utf-8", newline="") as file:
        taxonomy = frozenset(row["source_table"] for row in csv.DictReader(file))
    suites = frozenset(
        f"{path.parent.name}/{path.stem}" for path in (PROJECT / "expectations").glob("*/[a-z]*.py")
    )
    assert list(incomplete_channels(models, sources, taxonomy, suites)) == []


# A small project in which everything is right, and one thing at a time is then broken.
VISITS = Source("visits", "shop", columns={"visit_id": "Key.", "is_deleted": "Gone."}, events=True)
CAMPAIGNS = Source("campaigns", "campaigns", columns={"campaign_id": "Key."})
BASE = Model(
    "base_shop__visits", "models/staging/shop/base_shop__visits.sql", frozenset({("source", "visits")})
)
STAGED = Model(
    "stg_shop__visits",
    "models/staging/shop/stg_shop__visits.sql",
    frozenset({("staging", "base_shop__visits")}),
    columns={"visit_id": "Key."},
)
CONFORMED = Model(
    "int_shop__interactions",
    "models/intermediate/shop/int_shop__interactions.sql",
    frozenset({("staging", "stg_shop__visits"), ("seed", "interaction_types"), ("source", "hash_key")}),
)
FACT = Model(
    "fct_visits",
    "models/marts/fct_visits.sql",
    frozenset({("intermediate", "int_shop__interactions"), ("marts", "dim_campaigns")}),
    columns={"visit_id": "Key."},
)
REFERENCE = Model(
    "stg_campaigns__campaigns",
    "models/staging/campaigns/stg_campaigns__campaigns.sql",
    frozenset({("source", "campaigns")}),
    columns={"campaign_id": "Key."},
)
DIMENSION = Model(
    "dim_campaigns",
    "models/marts/dimensions/dim_campaigns.sql",
    frozenset({("staging", "stg_campaigns__campaigns")}),
    columns={"campaign_id": "Key."},
)
WHOLE = [
    replace(model, yaml_path=model.path.replace(".sql", ".yml"))
    for model in (BASE, STAGED, CONFORMED, FACT, REFERENCE, DIMENSION)
]
RAW = [VISITS, CAMPAIGNS]
TAXONOMY = frozenset({"visits"})
SUITES = frozenset({"raw/shop", "staging/shop", "raw/campaigns"})


def with_one(broken: Model) -> list[Model]:
    """The small project with the model of that path replaced, or added."""
    return [model for model in WHOLE if model.path != broken.path] + [broken]


def test_a_whole_project_has_no_problem() -> None:
    assert list(misplaced_reads(WHOLE, RAW)) == []
    assert list(misnamed_models(WHOLE)) == []
    assert list(undescribed(WHOLE, RAW)) == []
    assert list(incomplete_channels(WHOLE, RAW, TAXONOMY, SUITES)) == []


@pytest.mark.parametrize(
    ("model", "read"),
    [
        (STAGED, ("intermediate", "int_shop__interactions")),
        (CONFORMED, ("source", "visits")),
        (CONFORMED, ("marts", "fct_visits")),
        (FACT, ("staging", "stg_shop__visits")),
        (FACT, ("staging", "stg_campaigns__campaigns")),
        (FACT, ("source", "visits")),
        (FACT, ("source", "hash_key")),
        (FACT, ("audit", "quarantine")),
        (DIMENSION, ("staging", "stg_shop__visits")),
    ],
)
def test_a_read_against_the_flow_is_named(model: Model, read: tuple[str, str]) -> None:
    broken = replace(model, reads=model.reads | {read})
    assert list(misplaced_reads(with_one(broken), RAW)) == [
        f"{model.path} reads {read[0]} {read[1]}, which {model.layer} may not"
    ]


@pytest.mark.parametrize(
    "path",
    [
        "models/staging/shop/shop_visits.sql",
        "models/staging/shop/stg_web__visits.sql",
        "models/staging/shop/stg_visits.sql",
        "models/intermediate/shop/shop__interactions.sql",
        "models/marts/visits.sql",
        "models/scratch/fct_visits.sql",
    ],
)
def test_a_wrong_name_is_named(path: str) -> None:
    assert [
        problem.split()[0].rstrip(":") for problem in misnamed_models([Model(Path(path).stem, path)])
    ] == [path]


def test_missing_words_are_named() -> None:
    path = FACT.path
    for broken, problem in [
        (replace(WHOLE[3], description=" "), f"{path} has no description"),
        (replace(WHOLE[3], columns={"visit_id": ""}), f"{path}: column visit_id has no description"),
        (replace(WHOLE[3], columns={}), f"{path} describes no columns"),
        (replace(WHOLE[3], yaml_path="models/all.yml"), f"{path} is described elsewhere, in models/all.yml"),
        (
            replace(WHOLE[1], columns={}),
            f"{STAGED.path}: column visit_id of raw table visits is not described",
        ),
    ]:
        assert list(undescribed(with_one(broken), RAW)) == [problem]
    assert list(undescribed(WHOLE, [VISITS, replace(CAMPAIGNS, columns={"campaign_id": ""})])) == [
        "raw table campaigns: column campaign_id has no description"
    ]


def test_the_missing_piece_of_a_channel_is_named() -> None:
    def problems(
        models: Sequence[Model] = WHOLE,
        taxonomy: frozenset[str] = TAXONOMY,
        suites: frozenset[str] = SUITES,
    ) -> list[str]:
        return list(incomplete_channels(models, RAW, taxonomy, suites))

    assert problems([model for model in WHOLE if model.name != "int_shop__interactions"]) == [
        "channel shop: models/intermediate/shop/int_shop__interactions.sql is missing"
    ]
    assert problems([model for model in WHOLE if model.name != "base_shop__visits"]) == [
        "channel shop: raw table visits has no staging model"
    ]
    assert problems(taxonomy=frozenset()) == [
        "channel shop: seeds/interaction_types.csv has no row for visits"
    ]
    assert problems(suites=SUITES - {"staging/shop"}) == [
        "channel shop: expectations/staging/shop.py is missing"
    ]
    assert problems(suites=SUITES - {"raw/campaigns"}) == [
        "channel campaigns: expectations/raw/campaigns.py is missing"
    ]
