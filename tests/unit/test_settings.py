import os
import stat
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from orchestration import settings as module
from orchestration.settings import Settings, SettingsError, from_environment, read_source_time_zones


def test_an_empty_environment_gives_the_defaults():
    settings = from_environment({})
    assert settings == Settings()
    assert (settings.time_zone, settings.reporting_currency, settings.schedule) == ("UTC", "USD", "0 2 * * *")


def test_every_setting_survives_the_way_through_the_environment(tmp_path: Path):
    settings = Settings(
        raw=tmp_path / "raw",
        warehouse=tmp_path / "warehouse",
        time_zone="Europe/Berlin",
        source_time_zones={"orders": "America/New_York", "web_events": "UTC"},
        reporting_currency="EUR",
        hash_key="0123456789abcdef",
        threads=3,
        memory_limit="512MB",
        schedule="*/5 * * * *",
        lock_wait_seconds=1.5,
        keep_publications=7,
        is_production=True,
        report=False,
        dagster_home=tmp_path / "home",
        alert_webhook="https://hooks.example.org/services/x",
        alert_smtp="smtps://mail.example.org:465",
        alert_smtp_user="me",
        alert_smtp_password="secret",  # noqa: S106 - nobody's
        alert_mail_from="warehouse@example.org",
        alert_mail_to="oncall@example.org",
    )
    assert from_environment(settings.variables()) == settings


def test_other_programs_variables_are_left_alone():
    assert from_environment({"PATH": "/bin", "DBT_TARGET": "x"}) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ENGAGEMENT_WARHOUSE", "elsewhere", "did you mean ENGAGEMENT_WAREHOUSE"),
        ("ENGAGEMENT_TIME_ZONE", "America/NewYork", "did you mean America/New_York"),
        ("ENGAGEMENT_TIME_ZONE", "Nowhere", "does not exist"),
        ("ENGAGEMENT_SOURCE_TIME_ZONES", "orders", "write table=zone"),
        ("ENGAGEMENT_SOURCE_TIME_ZONES", "orders=UTC,orders=UTC", "two source time zones"),
        ("ENGAGEMENT_SOURCE_TIME_ZONES", "orders=Nowhere", "of raw table orders does not exist"),
        ("ENGAGEMENT_REPORTING_CURRENCY", "dollars", "three capital letters"),
        ("ENGAGEMENT_THREADS", "many", "whole number"),
        ("ENGAGEMENT_THREADS", "0", "1 or more"),
        ("ENGAGEMENT_MEMORY_LIMIT", "lots", "8GB or 512MB"),
        ("ENGAGEMENT_HASH_KEY", "short", "shorter than 16"),
        ("ENGAGEMENT_SCHEDULE", "at two", "cron expression"),
        ("ENGAGEMENT_LOCK_WAIT_SECONDS", "-1", "0 or more"),
        ("ENGAGEMENT_KEEP_PUBLICATIONS", "0", "1 or more"),
        ("ENGAGEMENT_LOCK_WAIT_SECONDS", "long", "number of seconds"),
        ("ENGAGEMENT_ALERT_WEBHOOK", "hooks.example.org/x", "no address; write https://host/path"),
        ("ENGAGEMENT_ALERT_WEBHOOK", "file:///etc/passwd", "no address; write https://host/path"),
        ("ENGAGEMENT_ALERT_SMTP", "mail.example.org:587", "no mail server; write smtp://host:587"),
        ("ENGAGEMENT_ALERT_SMTP", "smtp://me:secret@mail.example.org", "the account as"),
        ("ENGAGEMENT_ALERT_SMTP", "smtp://mail.example.org", "need ENGAGEMENT_ALERT_MAIL_FROM, too"),
        ("ENGAGEMENT_ALERT_MAIL_TO", "oncall@example.org", "need ENGAGEMENT_ALERT_SMTP, too"),
        ("ENGAGEMENT_ALERT_SMTP_USER", "me", "set both or none"),
        ("ENGAGEMENT_PRODUCTION", "perhaps", "true or false"),
        ("ENGAGEMENT_PRODUCTION", "true", "ENGAGEMENT_HASH_KEY is not set"),
        ("ENGAGEMENT_REPORT", "perhaps", "true or false"),
    ],
)
def test_what_is_not_understood_is_an_error_that_says_what_to_do(name: str, value: str, message: str):
    with pytest.raises(SettingsError, match=message):
        from_environment({name: value})


def test_source_time_zones_may_be_spaced_and_empty():
    assert read_source_time_zones(" orders = UTC , reviews=Asia/Tokyo ") == {
        "orders": "UTC",
        "reviews": "Asia/Tokyo",
    }
    assert read_source_time_zones("") == {}


@pytest.mark.parametrize(
    ("zone", "now", "day"),
    [
        ("UTC", datetime(2024, 3, 1, 0, 0, tzinfo=UTC), date(2024, 2, 29)),
        ("America/New_York", datetime(2024, 3, 1, 4, 59, tzinfo=UTC), date(2024, 2, 28)),
        ("America/New_York", datetime(2024, 3, 1, 5, 0, tzinfo=UTC), date(2024, 2, 29)),
        ("Asia/Tokyo", datetime(2024, 2, 29, 15, 0, tzinfo=UTC), date(2024, 2, 29)),
    ],
)
def test_the_last_complete_day_is_the_business_time_zones(zone: str, now: datetime, day: date):
    assert Settings(time_zone=zone).last_complete_day(now) == day


def test_a_warehouse_without_a_key_gets_one_of_its_own_once(tmp_path: Path):
    first, second = Settings(warehouse=tmp_path / "a"), Settings(warehouse=tmp_path / "b")
    key = first.private_hash_key()
    assert len(key) == 64
    assert first.private_hash_key() == key
    assert second.private_hash_key() != key
    assert stat.S_IMODE(first.hash_key_file.stat().st_mode) == 0o600


def test_a_given_key_is_used_and_never_shown_or_stored(tmp_path: Path):
    settings = Settings(warehouse=tmp_path, hash_key="a-secret-of-mine-1")
    assert settings.private_hash_key() == "a-secret-of-mine-1"
    assert "a-secret" not in repr(settings)
    assert not settings.hash_key_file.exists()


def test_a_damaged_key_file_is_no_reason_for_new_hashes(tmp_path: Path):
    settings = Settings(warehouse=tmp_path)
    settings.hash_key_file.write_text("")
    with pytest.raises(SettingsError, match="damaged"):
        settings.private_hash_key()


def test_telemetry_is_off_unless_somebody_wants_it(tmp_path: Path):
    environment = {"GX_ANALYTICS_ENABLED": "true"}
    Settings(warehouse=tmp_path).apply(environment)
    assert environment["GX_ANALYTICS_ENABLED"] == "true"
    assert environment["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
    assert environment["DAGSTER_DISABLE_TELEMETRY"] == "true"
    assert environment["ENGAGEMENT_WAREHOUSE"] == str(tmp_path)


def test_no_other_module_reads_the_environment():
    for package in ("orchestration", "warehouse", "loaders", "expectations"):
        for path in (module.PROJECT_ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if path != Path(module.__file__):
                assert "os.environ" not in text and "getenv" not in text, path
    assert os.environ is not None
