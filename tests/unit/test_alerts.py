"""Alerts: what is told, to whom, once per cause, over a real HTTP server and a real mail server."""

import json
import os
import shutil
import socketserver
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from expectations.thresholds import load_thresholds
from orchestration import alerts, delivery
from orchestration.advice import advised
from orchestration.alerts import Alert, FailedRun, Kind
from orchestration.defs import alerts as module
from orchestration.defs.alerts import Told, alert_sensor
from orchestration.settings import Settings
from warehouse import audit, lock
from warehouse.night import Basis, Night, Warehouse
from warehouse.publication import Edition, publish
from warehouse.staleness import stale_sources

NIGHT_AT = datetime(2026, 11, 24, 2, 0, 5, tzinfo=UTC)
PUBLISHED_AT = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
MORNING = datetime(2026, 11, 24, 9, tzinfo=UTC)
ACCOUNT = {"alert_smtp_user": "me", "alert_smtp_password": "s3cr3t"}
ADDRESS = "/services/T000/B000/s3cr3t"


@dataclass
class Inbox:
    """What a server was told.

    Attributes:
        port: Where it listens on 127.0.0.1.
        received: Bodies of posts, or mails.
        status: What the web server answers.
    """

    port: int = 0
    received: list[str] = field(default_factory=list)
    status: int = 200


@pytest.fixture
def webhook() -> Iterator[Inbox]:
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            assert (self.path, self.headers["Content-Type"]) == (ADDRESS, "application/json")
            if inbox.status < 300:
                inbox.received.append(body)
            self.send_response(inbox.status)
            if inbox.status == 302:
                self.send_header("Location", f"http://127.0.0.1:{inbox.port}/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        inbox.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield inbox
        server.shutdown()


@pytest.fixture
def mail_server() -> Iterator[Inbox]:
    """As much of a mail server as it takes to hand it a mail; without encryption."""
    inbox = Inbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline().strip():
                word = line.split()[0].upper()
                if word == b"EHLO":
                    self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
                elif word == b"AUTH":
                    inbox.received.append(line.decode())
                    self.wfile.write(b"235 welcome\r\n")
                elif word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    inbox.received.append(b"".join(lines).decode())
                    self.wfile.write(b"250 taken\r\n")
                else:
                    self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 well\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        inbox.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield inbox
        server.shutdown()


@pytest.fixture(scope="module")
def stale_one(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A warehouse with one published night, of which web events and reviews were loaded long before."""
    naive = NIGHT_AT.replace(tzinfo=None)
    loads = {
        "orders": naive - timedelta(hours=47),
        "web_events": naive - timedelta(hours=49),
        "reviews": naive - timedelta(days=8),
        "survey_responses": None,
    }
    return published_warehouse(tmp_path_factory.mktemp("stale"), loads)


@pytest.fixture(scope="module")
def fresh_one(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The same with a source that has just arrived; copy it before you change it."""
    return published_warehouse(tmp_path_factory.mktemp("fresh"), {"orders": NIGHT_AT.replace(tzinfo=None)})


@pytest.fixture
def place(fresh_one: Warehouse, tmp_path: Path) -> Warehouse:
    shutil.copytree(fresh_one.folder, tmp_path / "warehouse")
    return Warehouse(tmp_path / "warehouse")


def published_warehouse(folder: Path, loads: Mapping[str, datetime | None]) -> Warehouse:
    place = Warehouse(folder)
    place.prepare()
    night = Night(
        run_id="first",
        as_of=date(2026, 11, 23),
        started_at=NIGHT_AT,
        is_full_refresh=False,
        business_time_zone="UTC",
        reporting_currency="USD",
        code_version="v1",
        seeds_hash="abc",
        basis=Basis(1),
        settings_fingerprint="settings",
    )
    audit.begin(place.marts_file, night)
    audit.record_source_loads(
        place.marts_file,
        "first",
        [audit.SourceLoad(table, 1, 1, 1, loaded_at, "") for table, loaded_at in loads.items()],
    )
    with duckdb.connect(str(place.marts_file)) as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.fct_interactions as select 1 as one")
    audit.succeed(place.marts_file, night, PUBLISHED_AT, {"fct_interactions": "{}"})
    publish(place.marts_file, place.published, place.kept, Edition("first", night.as_of, PUBLISHED_AT))
    return place


def fail(place: Warehouse, message: str, run_id: str = "r2") -> None:
    """Leave the lock file of a night that failed."""
    with lock.hold(place.lock, run_id=run_id, command="engagement nightly", as_of="2026-11-24") as held:
        held.finish("failed", message)


@dataclass
class Sensor:
    """The sensor, ticking by hand.

    Attributes:
        settings: Its settings.
        monkeypatch: Moves its clock.
        cursor: What it remembers.
        instance: Dagster's runs.
    """

    settings: Settings
    monkeypatch: pytest.MonkeyPatch
    instance: dg.DagsterInstance
    cursor: str | None = None

    def tick(self, now: datetime = MORNING) -> str:
        """Return what a tick said."""
        self.monkeypatch.setattr(module, "utc_now", lambda: now)
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = alert_sensor(self.settings)(context)
        if isinstance(result, dg.SkipReason):
            return str(result.skip_message)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return str(result.skip_reason.skip_message if result.skip_reason else "")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


@pytest.fixture
def sensor(
    place: Warehouse, webhook: Inbox, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> Sensor:
    settings = Settings(warehouse=place.folder, alert_webhook=f"http://127.0.0.1:{webhook.port}{ADDRESS}")
    return Sensor(settings, monkeypatch, instance)


def texts(inbox: Inbox) -> list[str]:
    found = [json.loads(body) for body in inbox.received]
    assert all(message.keys() == {"text"} for message in found)
    return [message["text"] for message in found]


def test_nothing_is_told_when_all_is_well(sensor: Sensor, webhook: Inbox) -> None:
    assert sensor.tick() == "There is nothing to tell."
    assert webhook.received == []


def test_a_failed_night_is_told_once_and_the_next_one_again(
    sensor: Sensor, webhook: Inbox, place: Warehouse
) -> None:
    message = (
        "gate staging: 1 of 37 expectations not met\n"
        "  staging.stg_support__tickets: expect_this (column solved_at): 1 of 2 rows, "
        'for example [{"customer_ref": "ada@example.org"}]'
    )
    fail(place, message)
    sensor.tick()
    sensor.tick()
    (text,) = texts(webhook)
    assert text.startswith("engagement: night failed, since ")
    assert "gate staging: 1 of 37 expectations not met\n" in text
    assert "expect_this (column solved_at): 1 of 2 rows\n" in text
    assert "ada@example.org" not in text
    assert f"Where: warehouse {place.folder} on " in text and "run r2" in text
    assert "Readers see the night of 2026-11-23." in text
    assert text.endswith("Runbook: docs/runbook.md, section 'Gate staging'.")
    fail(place, "gate raw: 1 of 9 expectations not met", run_id="r3")
    sensor.tick()
    assert len(webhook.received) == 2
    assert texts(webhook)[1].endswith("section 'Gate raw'.")


def test_a_cause_that_is_over_is_told_again_when_it_comes_back(
    sensor: Sensor, webhook: Inbox, place: Warehouse
) -> None:
    intact = place.published.read_bytes()
    for _ in range(2):
        place.published.write_bytes(b"\0" * len(intact))
        os.utime(place.published, (1_700_000_000, 1_700_000_000))
        sensor.tick(MORNING)
        sensor.tick(MORNING)
        place.published.write_bytes(intact)
        sensor.tick(MORNING)
    first, second = texts(webhook)
    assert first == second
    assert first.startswith("engagement: published file damaged, since 2023-11-14 22:13 UTC")
    assert f"engagement rollback --warehouse {place.folder}" in first


QUARANTINED = (
    "orders: 24 of 70 rows (34.3 %) are in quarantine, more than 5.0 % (no_exchange_rate: 24): land the "
    "rates of these currencies, of these days or earlier, in exchange_rates; if the feed is right, give "
    "orders a row of its own for quarantined_share_max in seeds/quality_thresholds.csv"
)


def test_too_full_a_quarantine_has_an_alert_of_its_own(
    sensor: Sensor, webhook: Inbox, place: Warehouse
) -> None:
    fail(
        place,
        "gate staging: 1 of 37 expectations not met\n  staging.stg_quarantine__row_accounts: "
        f"expect_few_rows_in_quarantine (column rows_quarantined):\n    {QUARANTINED}",
    )
    sensor.tick()
    (text,) = texts(webhook)
    assert f"\n    {QUARANTINED}\n" in text
    assert text.startswith("engagement: quarantine over its threshold, since ")
    assert text.endswith("section 'Quarantine over its threshold'.")


def test_a_killed_night_is_told_once_although_dagster_finds_out_later(
    sensor: Sensor, webhook: Inbox, place: Warehouse, instance: dg.DagsterInstance
) -> None:
    run = failed_run(instance)
    holder = lock.Holder(1, run.run_id, "dagster, job nightly", "2026-11-24", "2026-11-24T05:00:00+00:00")
    place.lock.write_text(json.dumps(holder.__dict__))
    instance.delete_run(run.run_id)
    sensor.tick()
    (text,) = texts(webhook)
    assert text.startswith("engagement: night killed, since 2026-11-24 05:00 UTC")
    instance.add_run(run)
    assert instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    sensor.tick()
    assert len(webhook.received) == 1


def failed_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """A run of a job whose only step fails."""

    @dg.op
    def broken() -> None:
        raise dg.Failure("staging: 1 of 90 nodes failed\n  model stg_orders__orders: no such column")

    @dg.job
    def nightly() -> None:
        broken()

    result = nightly.execute_in_process(instance=instance, raise_on_error=False)
    return result.dagster_run


def test_a_run_of_dagster_that_never_took_the_lock_is_told(
    sensor: Sensor, webhook: Inbox, instance: dg.DagsterInstance
) -> None:
    run = failed_run(instance)
    now = datetime.now(tz=UTC)
    # nothing was published since, so it is late as well, and that is another cause
    sensor.tick(now)
    sensor.tick(now)
    (text,) = (text for text in texts(webhook) if "night failed" in text)
    assert "model stg_orders__orders: no such column" in text
    assert f"run {run.run_id}, started by `dagster, job nightly`" in text
    assert text.endswith("section 'Model or dbt test failed'.")


def test_failures_before_the_last_publication_are_history(
    sensor: Sensor, webhook: Inbox, instance: dg.DagsterInstance, place: Warehouse
) -> None:
    failed_run(instance)
    now = datetime.now(tz=UTC)
    publish(place.marts_file, place.published, place.kept, Edition("second", date(2026, 11, 23), now))
    sensor.tick(now)
    assert [text for text in texts(webhook) if "night failed" in text] == []


@pytest.mark.parametrize(
    ("schedule", "zone", "now", "is_late"),
    [
        # published at 02:10 on the 24th; the night of the 25th is due at 06:00
        ("0 2 * * *", "UTC", datetime(2026, 11, 25, 5, 59, tzinfo=UTC), False),
        ("0 2 * * *", "UTC", datetime(2026, 11, 25, 6, 1, tzinfo=UTC), True),
        # two in the morning in New York is seven in UTC
        ("0 2 * * *", "America/New_York", datetime(2026, 11, 25, 10, 59, tzinfo=UTC), True),
        ("0 2 * * *", "America/New_York", datetime(2026, 11, 24, 10, 59, tzinfo=UTC), False),
        # several times a day: a day and four hours
        ("*/5 * * * *", "UTC", datetime(2026, 11, 25, 6, 9, tzinfo=UTC), False),
        ("*/5 * * * *", "UTC", datetime(2026, 11, 25, 6, 11, tzinfo=UTC), True),
        # Mondays only; the 24th is a Tuesday
        ("0 2 * * 1", "UTC", datetime(2026, 11, 29, 12, tzinfo=UTC), False),
        ("0 2 * * 1", "UTC", datetime(2026, 11, 30, 6, 1, tzinfo=UTC), True),
    ],
)
def test_a_late_night(
    sensor: Sensor, webhook: Inbox, schedule: str, zone: str, now: datetime, is_late: bool
) -> None:
    sensor.settings = replace(sensor.settings, schedule=schedule, time_zone=zone)
    sensor.tick(PUBLISHED_AT)
    sensor.tick(now)
    sensor.tick(now + timedelta(days=7))
    sensor.tick(now + timedelta(days=14))
    assert len(webhook.received) == 1, "once, however many nights are missing"
    sensor.cursor = None
    webhook.received.clear()
    sensor.tick(PUBLISHED_AT)
    sensor.tick(now)
    assert [("night late" in text and "No night runs." in text) for text in texts(webhook)] == [
        True
    ] * is_late


def test_readers_who_were_taken_back_are_no_late_night(
    sensor: Sensor, webhook: Inbox, place: Warehouse
) -> None:
    later = Edition("second", date(2026, 11, 24), PUBLISHED_AT + timedelta(days=1))
    (place.kept / later.file_name).write_bytes(place.published.read_bytes())
    sensor.tick(PUBLISHED_AT)
    sensor.tick(later.published_at + timedelta(hours=6))
    assert webhook.received == []


def test_a_new_service_does_not_miss_what_was_due_before_it(
    webhook: Inbox, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = Settings(warehouse=tmp_path, alert_webhook=f"http://127.0.0.1:{webhook.port}{ADDRESS}")
    sensor = Sensor(settings, monkeypatch, instance)
    sensor.tick(MORNING)
    assert webhook.received == []
    sensor.tick(MORNING + timedelta(days=1))
    (text,) = texts(webhook)
    assert "night late, since 2026-11-25 02:00 UTC" in text and "Nothing is published yet." in text


def test_stale_sources_are_told_together_and_a_new_one_alone(
    sensor: Sensor, webhook: Inbox, stale_one: Warehouse
) -> None:
    sensor.settings = replace(sensor.settings, warehouse=stale_one.folder)
    sensor.tick()
    sensor.tick()
    (text,) = texts(webhook)
    assert text.startswith("engagement: source stale, since 2026-11-16 02:00 UTC")
    assert (
        "What: 2 raw tables have stopped arriving: reviews (latest load 2026-11-16 02:00 UTC, limit 168 h), "
        "web_events (latest load 2026-11-22 01:00 UTC, limit 48 h)."
    ) in text
    told = Told.from_cursor(sensor.cursor, MORNING)
    told.causes["webhook"] = [cause for cause in told.causes["webhook"] if "reviews" in cause]
    sensor.cursor = told.to_cursor()
    sensor.tick()
    assert "A raw table has stopped arriving: web_events" in texts(webhook)[1]


def test_a_source_is_as_old_as_it_was_when_the_night_began(stale_one: Warehouse) -> None:
    found = stale_sources(stale_one.published, lambda _: timedelta(hours=48))
    assert [source.table_name for source in found] == ["reviews", "web_events"]
    assert stale_sources(stale_one.published, lambda _: timedelta(days=8)) == []


def test_a_webhook_that_is_down_is_tried_until_it_answers_and_stops_nothing(
    sensor: Sensor, webhook: Inbox, place: Warehouse, capfd: pytest.CaptureFixture[str]
) -> None:
    fail(place, "no")
    for status in (500, 404, 302):
        webhook.status = status
        said = sensor.tick()
        assert f"The webhook answered with status {status}." in said
    webhook.status = 200
    sensor.tick()
    sensor.tick()
    assert len(webhook.received) == 1
    printed = "".join(capfd.readouterr())
    assert "tried again" in printed and ADDRESS not in printed


def test_a_webhook_that_is_not_there_says_no_secret(sensor: Sensor, place: Warehouse) -> None:
    fail(place, "no")
    sensor.settings = replace(sensor.settings, alert_webhook=f"http://127.0.0.1:9{ADDRESS}")
    said = sensor.tick()
    assert "The webhook cannot be reached (ConnectionRefusedError)." in said
    assert ADDRESS not in said and ADDRESS not in str(sensor.settings)


def test_ways_do_not_wait_for_one_another(
    sensor: Sensor, webhook: Inbox, mail_server: Inbox, place: Warehouse
) -> None:
    sensor.settings = with_mail(sensor.settings, mail_server)
    fail(place, "no")
    webhook.status = 500
    sensor.tick()
    webhook.status = 200
    sensor.tick()
    assert (len(webhook.received), len(mail_server.received)) == (1, 1)


def with_mail(settings: Settings, server: Inbox) -> Settings:
    return replace(
        settings,
        alert_smtp=f"smtp://127.0.0.1:{server.port}",
        alert_mail_from="warehouse@example.org",
        alert_mail_to="oncall@example.org, lead@example.org",
    )


def an_alert(message: str = "it broke") -> Alert:
    place = Warehouse(Path("/srv/warehouse"))
    run = FailedRun("r9", MORNING, message, "engagement nightly")
    (found,) = alerts.failed_nights(place, None, [run])
    return found


def test_a_mail(mail_server: Inbox) -> None:
    delivery.mail(with_mail(Settings(), mail_server), an_alert())
    (mail,) = mail_server.received
    head, _, body = mail.partition("\r\n\r\n")
    assert "Subject: engagement: night failed, since 2026-11-24 09:00 UTC" in head
    assert "From: warehouse@example.org" in head
    assert "To: oncall@example.org, lead@example.org" in head
    assert "What: it broke" in body and "section 'Night failed'." in body.replace("=\r\n", "")


def test_a_mail_account_on_the_same_machine_may_do_without_encryption(mail_server: Inbox) -> None:
    settings = replace(with_mail(Settings(), mail_server), **ACCOUNT)
    delivery.mail(settings, an_alert())
    assert mail_server.received[0].startswith("AUTH PLAIN ")


def test_no_password_goes_to_another_machine_in_the_clear(
    mail_server: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(with_mail(Settings(), mail_server), **ACCOUNT)
    monkeypatch.setattr(delivery, "_is_here", lambda _: False)
    with pytest.raises(delivery.DeliveryError, match="offers no encryption") as caught:
        delivery.mail(settings, an_alert())
    assert mail_server.received == [] and "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_mail_server_that_is_not_there(scheme: str) -> None:
    settings = with_mail(Settings(), Inbox(port=9))
    settings = replace(settings, alert_smtp=f"{scheme}://127.0.0.1:9")
    with pytest.raises(delivery.DeliveryError, match=r"127.0.0.1 did not take the alert \(ConnectionRefused"):
        delivery.mail(settings, an_alert())


def test_what_came_from_data_cannot_call_everybody(webhook: Inbox) -> None:
    delivery.post(f"http://127.0.0.1:{webhook.port}{ADDRESS}", an_alert("<!channel> & <a href=x>\0"))
    assert "&lt;!channel&gt; &amp; &lt;a href=x&gt;" in texts(webhook)[0]


def test_a_long_message_is_cut() -> None:
    text = an_alert("\n".join(f"line {number} " + "x" * 1_000 for number in range(50))).text()
    assert len(text) < 3_000
    assert "... and 44 more lines" in text


@pytest.mark.parametrize(
    ("message", "section"),
    [
        ("staging: 1 of 9 nodes failed\n  model a: Out of Memory Error: could not", "Memory exhausted"),
        ("The warehouse cannot be written: [Errno 28] No space left on device", "Disk full"),
        (advised("marts: 1 of 9 nodes failed\n  model a: Disk quota exceeded", Settings()), "Disk full"),
        (advised("IO Error: Corrupt database file: checksum", Settings()), "Build files damaged"),
        ("staging: 1 of 9 nodes failed\n  model a: IO Error: No files found that match", "Raw zone gone"),
        ("Raw table orders has lost 61 of the 121 rows that earlier nights have read", "Raw zone gone"),
        ("gate raw: 1 of 9 expectations not met\n  raw.orders: expect_loaded_at_in_every_row", "Gate raw"),
        (
            "gate raw: 1 of 9 expectations not met\n  raw.a: expect_loaded_at_to_be_a_time_that_has_come",
            "Clock moved",
        ),
        ("gate marts: 1 of 9 expectations not met", "Gate marts"),
        (
            "staging: 1 of 9 nodes failed\n  test row_accounts_balance of x: Got 1",
            "Row accounts do not balance",
        ),
        ("staging: 1 of 9 nodes failed\n  model a: no such column", "Model or dbt test failed"),
        ("orders/a.csv: file of raw table orders cannot be read (no header line)", "Raw zone unreadable"),
        ("orders/a.csv: required column x of raw table orders is missing; add it", "Raw zone unreadable"),
        ("There is no raw zone /srv/raw: name a folder", "Raw zone unreadable"),
        (str(lock.WarehouseBusyError(Path("/srv/warehouse/night.lock"), None, 0.0)), "Warehouse busy"),
        ("anything else", Kind.FAILED.value),
    ],
)
def test_the_runbook_is_opened_at_the_right_place(message: str, section: str) -> None:
    assert an_alert(message).section == section


def test_without_a_way_the_sensor_is_off(
    place: Warehouse, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(warehouse=place.folder)
    assert alert_sensor(settings).default_status is dg.DefaultSensorStatus.STOPPED
    assert "Alerts are off" in Sensor(settings, monkeypatch, instance).tick()


def test_with_a_way_it_is_on(sensor: Sensor) -> None:
    assert alert_sensor(sensor.settings).default_status is dg.DefaultSensorStatus.RUNNING


def test_every_limit_is_of_a_raw_table() -> None:
    own = load_thresholds().overrides("alerts", "stale_hours_max")
    assert own == {"web_events": 48, "orders": 48, "message_events": 48}
