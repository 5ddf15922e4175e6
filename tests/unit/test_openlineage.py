"""OpenLineage events: what stands in them, and that no endpoint can fail or hold up a night."""

import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from orchestration.openlineage import Emitter, Event, end_event, start_event
from orchestration.settings import SettingsError, from_environment
from warehouse.audit import LineageRow
from warehouse.night import Night, Warehouse
from warehouse.summary import Dataset

NIGHT = Night(
    run_id=str(uuid.UUID(int=7)),
    as_of=date(2026, 1, 31),
    started_at=datetime(2026, 2, 1, 2, 0, tzinfo=UTC),
    is_full_refresh=False,
    business_time_zone="UTC",
    reporting_currency="USD",
    code_version="v1",
    seeds_hash="seeds",
)
ORDERS = Dataset("raw.orders", 3, {})
FACT = Dataset("marts.fct_interactions", 2, {"interaction_id": "VARCHAR", "revenue": "DECIMAL(18,4)"})
LINEAGE = (
    LineageRow("marts", "fct_interactions", "revenue", "raw", "orders", "total_amount", "derived", "stg"),
    LineageRow("marts", "fct_interactions", "interaction_id", "raw", "orders", "order_id", "direct", "stg"),
    LineageRow("marts", "fct_interactions", None, "raw", "orders", "is_test", "rows", ""),
)
# What the specification requires of a facet beside _producer and _schemaURL.
REQUIRED: Mapping[str, set[str]] = {
    "columnLineage": {"fields"},
    "errorMessage": {"message", "programmingLanguage"},
    "inputStatistics": set(),
    "jobType": {"processingType", "integration"},
    "nominalTime": {"nominalStartTime"},
    "outputStatistics": set(),
    "processing_engine": {"version"},
    "schema": set(),
}


def facets(event: Event) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from event["run"]["facets"].items()
    yield from event["job"]["facets"].items()
    for dataset in (*event["inputs"], *event["outputs"]):
        for kind in ("facets", "inputFacets", "outputFacets"):
            yield from dataset.get(kind, {}).items()


def assert_valid(event: Event) -> None:
    """Hold an event against what the specification requires."""
    assert event.keys() >= {"eventType", "eventTime", "run", "job", "producer", "schemaURL"}
    assert event["eventType"] in ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")
    assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    uuid.UUID(event["run"]["runId"])
    assert event["job"]["namespace"] and event["job"]["name"]
    for dataset in (*event["inputs"], *event["outputs"]):
        assert dataset["namespace"] and dataset["name"]
    for name, facet in facets(event):
        assert facet.keys() >= REQUIRED[name] | {"_producer", "_schemaURL"}, name
        assert facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/")
        if name == "schema":
            assert all(field["name"] for field in facet["fields"])
        if name == "columnLineage":
            made = [field for column in facet["fields"].values() for field in column["inputFields"]]
            for field in (*made, *facet.get("dataset", ())):
                assert field["namespace"] and field["name"] and field["field"]
                assert {step["type"] for step in field["transformations"]} <= {"DIRECT", "INDIRECT"}
    json.dumps(event)


def test_events_of_a_night_that_is_published():
    place = Warehouse(Path("/warehouse"))
    start = start_event(NIGHT)
    end = end_event(NIGHT, place, "published", inputs=[ORDERS], outputs=[FACT], lineage=LINEAGE)
    for event in (start, end):
        assert_valid(event)
        assert event["run"]["runId"] == NIGHT.run_id
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    (read,), (written,) = end["inputs"], end["outputs"]
    assert (read["namespace"], read["name"]) == ("duckdb:///warehouse/engagement.duckdb", "raw.orders")
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == 3
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 2
    lineage = written["facets"]["columnLineage"]
    assert lineage["fields"]["revenue"]["inputFields"] == [
        {
            "namespace": read["namespace"],
            "name": "raw.orders",
            "field": "total_amount",
            "transformations": [{"type": "DIRECT", "subtype": "TRANSFORMATION"}],
        }
    ]
    assert set(lineage["fields"]) == {"revenue", "interaction_id"}
    assert [(field["field"], field["transformations"][0]["type"]) for field in lineage["dataset"]] == [
        ("is_test", "INDIRECT")
    ]


@pytest.mark.parametrize(("outcome", "kind"), [("failed", "FAIL"), ("partial", "ABORT")])
def test_events_of_a_night_that_is_not(outcome: str, kind: str):
    told = "a gate\n  for example ada@example.com"
    event = end_event(NIGHT, Warehouse(Path("/warehouse")), outcome, failure=told, inputs=[ORDERS])
    assert_valid(event)
    assert event["eventType"] == kind
    assert event["outputs"] == []
    assert event["run"]["facets"]["errorMessage"]["message"] == "a gate"


class Endpoint:
    """A catalogue on loopback that answers as it is told to."""

    def __init__(self, status: int = 201, seconds: float = 0.0) -> None:
        self.received: list[Event] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json"
                received.append(json.loads(body))
                time.sleep(seconds)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://user:secret@127.0.0.1:{self._server.server_port}/api/v1/lineage?key=secret"

    def __enter__(self) -> "Endpoint":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def plain_address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/v1/lineage"


def tell(target: str, timeout_seconds: float = 2.0) -> tuple[list[str], float]:
    """Send the events of a night; return the warnings and how long the night was held up."""
    warnings: list[str] = []
    emitter = Emitter(target, warnings.append, timeout_seconds)
    begun = time.monotonic()
    emitter.emit(start_event(NIGHT))
    emitter.emit(end_event(NIGHT, Warehouse(Path("/warehouse")), "published", outputs=[FACT]))
    emitter.close()
    return warnings, time.monotonic() - begun


def test_events_reach_an_endpoint_in_order():
    with Endpoint() as endpoint:
        warnings, _ = tell(endpoint.plain_address)
        assert warnings == []
        assert [event["eventType"] for event in endpoint.received] == ["START", "COMPLETE"]
        for event in endpoint.received:
            assert_valid(event)


def test_events_are_appended_to_a_file(tmp_path: Path):
    file = tmp_path / "new" / "events.jsonl"
    for _ in range(2):
        assert tell(str(file))[0] == []
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"] * 2


def test_an_endpoint_that_is_down_costs_one_warning():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    warnings, seconds = tell(f"http://127.0.0.1:{port}/lineage")
    assert len(warnings) == 1
    assert f"did not reach http://127.0.0.1:{port}/lineage" in warnings[0]
    assert seconds < 10


def test_an_endpoint_that_refuses_is_not_asked_again():
    with Endpoint(status=500) as endpoint:
        warnings, _ = tell(endpoint.plain_address)
        assert len(warnings) == 1
        assert "500" in warnings[0]
        assert len(endpoint.received) == 1


def test_an_endpoint_that_hangs_holds_up_nothing():
    with Endpoint(seconds=30.0) as endpoint:
        warnings, seconds = tell(endpoint.plain_address, timeout_seconds=0.3)
    assert len(warnings) == 1
    assert seconds < 10


def test_a_warning_shows_no_password():
    with Endpoint(status=403) as endpoint:
        (warning,), _ = tell(endpoint.address)
    assert "secret" not in warning


def test_a_file_that_cannot_be_written_costs_one_warning(tmp_path: Path):
    (tmp_path / "file").write_text("")
    warnings, _ = tell(str(tmp_path / "file" / "events.jsonl"))
    assert len(warnings) == 1


@pytest.mark.parametrize("text", ["ftp://host/lineage", "http://", "http://host:port/x", "https://:80"])
def test_a_target_that_is_none_is_refused(text: str):
    with pytest.raises(SettingsError, match="ENGAGEMENT_OPENLINEAGE must be a file or an address"):
        from_environment({"ENGAGEMENT_OPENLINEAGE": text})


def test_targets_that_are_understood(tmp_path: Path):
    for text in ("http://localhost:5000/api/v1/lineage", "https://catalogue.example/lineage"):
        settings = from_environment({"ENGAGEMENT_OPENLINEAGE": text})
        assert settings.openlineage == text
        assert from_environment(settings.variables()) == settings
    file = str(tmp_path / "events.jsonl")
    assert from_environment({"ENGAGEMENT_OPENLINEAGE": file}).openlineage == file
    assert from_environment({}).openlineage is None
