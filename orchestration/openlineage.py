"""A night told to a lineage catalogue: OpenLineage events, START and then COMPLETE, FAIL or ABORT.

Events go to a file (a line each) or to an HTTP endpoint, in the background: an endpoint that is down costs a
night one warning and never more than a few seconds after its end. They are plain JSON of the OpenLineage
specification. What does NOT belong here: what the lineage is (`orchestration.lineage`), queries
(`warehouse.summary`).
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchestration.statement_lineage import AGGREGATED, DERIVED, DIRECT, ROWS
from warehouse.audit import LineageRow
from warehouse.night import Night, Warehouse, utc_now
from warehouse.summary import Dataset

# The last event is some megabytes long: the lineage of every published column.
TIMEOUT_SECONDS = 5.0
JOB_NAMESPACE = "engagement-warehouse"
JOB_NAME = "nightly"
PRODUCER = "https://pypi.org/project/engagement-warehouse"

Event = dict[str, Any]

_SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets"
_SCHEMAS: Mapping[str, str] = {
    "columnLineage": f"{_FACETS}/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet",
    "errorMessage": f"{_FACETS}/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
    "inputStatistics": f"{_FACETS}/1-0-0/InputStatisticsInputDatasetFacet.json"
    "#/$defs/InputStatisticsInputDatasetFacet",
    "jobType": f"{_FACETS}/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
    "nominalTime": f"{_FACETS}/1-0-1/NominalTimeRunFacet.json#/$defs/NominalTimeRunFacet",
    "outputStatistics": f"{_FACETS}/1-0-2/OutputStatisticsOutputDatasetFacet.json"
    "#/$defs/OutputStatisticsOutputDatasetFacet",
    "processing_engine": f"{_FACETS}/1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet",
    "schema": f"{_FACETS}/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet",
}
# How the kinds of the lineage are called there.
_TRANSFORMATIONS: Mapping[str, tuple[str, str]] = {
    DIRECT: ("DIRECT", "IDENTITY"),
    DERIVED: ("DIRECT", "TRANSFORMATION"),
    AGGREGATED: ("DIRECT", "AGGREGATION"),
    ROWS: ("INDIRECT", "FILTER"),
}
_OUTCOMES: Mapping[str, str] = {"published": "COMPLETE", "failed": "FAIL", "partial": "ABORT"}


def start_event(night: Night) -> Event:
    """Return the event of a night's beginning."""
    return _event("START", night, night.started_at)


def end_event(
    night: Night,
    place: Warehouse,
    outcome: str,
    *,
    failure: str | None = None,
    inputs: Sequence[Dataset] = (),
    outputs: Sequence[Dataset] = (),
    lineage: Iterable[LineageRow] = (),
) -> Event:
    """Return the event of a night's end.

    Args:
        night: The night.
        place: The warehouse, which names the datasets.
        outcome: published, failed or partial.
        failure: Why it failed.
        inputs: Raw tables that were read.
        outputs: Published tables; none unless the night was published.
        lineage: Where their columns come from.
    """
    namespace = dataset_namespace(place)
    fields = _fields(namespace, lineage)
    event = _event(_OUTCOMES[outcome], night, utc_now())
    if failure is not None:
        event["run"]["facets"]["errorMessage"] = _facet(
            "errorMessage", message=failure, programmingLanguage="SQL"
        )
    event["inputs"] = [_input(namespace, table) for table in inputs]
    event["outputs"] = [_output(namespace, table, fields) for table in outputs]
    return event


def dataset_namespace(place: Warehouse) -> str:
    """Return the name of the database that the tables stand in."""
    return f"duckdb://{place.published.resolve()}"


class Emitter:
    """Sends the events of one night, in the background."""

    def __init__(
        self, target: str, warn: Callable[[str], None], timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """Send nothing yet.

        Args:
            target: A file, or an address that begins with http:// or https://.
            warn: Called at most once, with a sentence, when an event could not be delivered.
            timeout_seconds: How long the end of a night waits for its last event.
        """
        self._target = target
        self._warn = warn
        self._timeout = timeout_seconds
        self._last: threading.Thread | None = None
        self._problem: str | None = None

    def emit(self, event: Event) -> None:
        """Send an event without waiting for it."""
        before = self._last
        self._last = threading.Thread(target=self._deliver, args=(event, before), daemon=True)
        self._last.start()

    def close(self) -> None:
        """Wait a little for what is on its way, and say if something was not delivered."""
        if self._last is not None:
            self._last.join(self._timeout)
            if self._last.is_alive():
                self._problem = self._problem or f"no answer within {self._timeout:g} s"
        if self._problem is not None:
            self._warn(f"OpenLineage events did not reach {self._shown()}: {self._problem}")
            self._problem = None

    def _deliver(self, event: Event, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        if self._problem is not None:
            # whoever did not answer at the start is not asked again
            return
        try:
            line = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
            if is_address(self._target):
                self._post(line.encode())
            else:
                self._append(line)
        except Exception as error:
            self._problem = " ".join(str(error).split()) or type(error).__name__

    def _post(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._target, body, headers, method="POST")  # noqa: S310 - http only
        with urllib.request.urlopen(request, timeout=self._timeout):  # noqa: S310
            pass

    def _append(self, line: str) -> None:
        path = Path(self._target)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as lines:
            lines.write(line + "\n")

    def _shown(self) -> str:
        """The target without what may be secret in an address: user, password and query."""
        if not is_address(self._target):
            return self._target
        parts = urlsplit(self._target)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def is_address(target: str) -> bool:
    """Whether events go to an endpoint, not to a file."""
    return target.startswith(("http://", "https://"))


def _event(kind: str, night: Night, moment: datetime) -> Event:
    return {
        "eventType": kind,
        "eventTime": moment.isoformat(),
        "producer": PRODUCER,
        "schemaURL": _SPEC,
        "run": {
            "runId": night.run_id,
            "facets": {
                # the business day that the night is about
                "nominalTime": _facet("nominalTime", nominalStartTime=f"{night.as_of.isoformat()}T00:00:00Z"),
                "processing_engine": _facet(
                    "processing_engine", name="engagement-warehouse", version=night.code_version
                ),
            },
        },
        "job": {
            "namespace": JOB_NAMESPACE,
            "name": JOB_NAME,
            "facets": {
                "jobType": _facet("jobType", processingType="BATCH", integration="DAGSTER", jobType="JOB")
            },
        },
        "inputs": [],
        "outputs": [],
    }


def _input(namespace: str, table: Dataset) -> Event:
    return {
        "namespace": namespace,
        "name": table.name,
        "facets": {"schema": _schema(table)} if table.columns else {},
        "inputFacets": {"inputStatistics": _facet("inputStatistics", rowCount=table.row_count)},
    }


def _output(namespace: str, table: Dataset, fields: Mapping[str, Mapping[str, list[Event]]]) -> Event:
    facets = {"schema": _schema(table)}
    columns = fields.get(table.name, {})
    if columns:
        facets["columnLineage"] = _facet(
            "columnLineage",
            fields={name: {"inputFields": made} for name, made in columns.items() if name},
            # what decides about rows concerns the table as a whole
            dataset=columns.get("", []),
        )
    return {
        "namespace": namespace,
        "name": table.name,
        "facets": facets,
        "outputFacets": {"outputStatistics": _facet("outputStatistics", rowCount=table.row_count)},
    }


def _schema(table: Dataset) -> Event:
    return _facet("schema", fields=[{"name": name, "type": type_} for name, type_ in table.columns.items()])


def _fields(namespace: str, lineage: Iterable[LineageRow]) -> Mapping[str, Mapping[str, list[Event]]]:
    """Return the lineage by table and column; the column is empty for what decides about rows."""
    found: dict[str, dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
    for row in lineage:
        kind, subtype = _TRANSFORMATIONS[row.kind]
        found[f"{row.schema_name}.{row.mart}"][row.column_name or ""].append(
            {
                "namespace": namespace,
                "name": f"{row.source_schema}.{row.source_table}",
                "field": row.source_column,
                "transformations": [{"type": kind, "subtype": subtype}],
            }
        )
    return found


def _facet(facet: str, /, **content: object) -> Event:
    return {"_producer": PRODUCER, "_schemaURL": _SCHEMAS[facet], **content}
