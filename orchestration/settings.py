"""What a person may set, checked once: the only module that reads or writes the environment.

Everything else takes a `Settings`. A value that is not understood, and a variable that nobody reads, is an
error that says what to do: a typing slip must never become a silent default.
What does NOT belong here: anything that opens a database, and any choice that is business (see `seeds/`).
"""

from __future__ import annotations

import difflib
import gc
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

PROJECT_ROOT = Path(__file__).resolve().parents[1]
PREFIX = "ENGAGEMENT_"
# Dagster's calendar of snapshot dates begins here: before any customer data that a company is likely to have.
FIRST_SNAPSHOT_DATE = date(1990, 1, 1)

# Packages that would phone home are told not to; whoever wants their telemetry can still say so.
SILENT_TELEMETRY: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "DAGSTER_DISABLE_TELEMETRY": "true",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "GX_ANALYTICS_ENABLED": "false",
}

_MINIMUM_HASH_KEY_LENGTH = 16
_MEMORY = re.compile(r"^\d+(\.\d+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$")
_CURRENCY = re.compile(r"^[A-Z]{3}$")


class SettingsError(ValueError):
    """A setting that cannot be used; the message is one sentence for the person who set it."""


@dataclass(frozen=True)
class Settings:
    """Where a warehouse lives and how its nights are read.

    Attributes:
        raw: Folder of the raw zone, one sub-folder per raw table.
        warehouse: Folder of the published file, the build files and the lock.
        time_zone: Business time zone (IANA name): it decides which day an act belongs to.
        source_time_zones: Raw table -> time zone in which its timestamps without an offset are read; UTC
            where it is silent.
        reporting_currency: ISO 4217 code of the currency that revenue is reported in.
        hash_key: Secret that salts published identifiers; `None` for the key file of the warehouse.
        threads: Models that dbt builds at the same time. DuckDB uses every core within each.
        memory_limit: What DuckDB may hold in memory before it spills, e.g. `8GB`.
        schedule: Cron expression of the nightly schedule, in the business time zone.
        lock_wait_seconds: How long a scheduled night waits for another writer of the same warehouse.
        keep_publications: How many publications stay to go back to, the current one included.
        is_production: Whether the key must come from the environment: no key file then lies beside the data.
        openlineage: File, or http address, that OpenLineage events of every night go to; `None` for none.
        report: Whether a night ends with the report of what it has published.
        dagster_home: Where Dagster keeps its runs; `None` leaves that to Dagster.
        alert_webhook: Where alerts are posted, a secret URL; `None` for no webhook.
        alert_smtp: Mail server of alerts, `smtp://host:port` or `smtps://host:port`; `None` for no mail.
        alert_smtp_user: Account at the mail server; `None` when it asks for none.
        alert_smtp_password: Its password.
        alert_mail_from: Sender of alerts.
        alert_mail_to: Who gets them, comma separated.
    """

    raw: Path = PROJECT_ROOT / ".data" / "raw"
    warehouse: Path = PROJECT_ROOT / ".data" / "warehouse"
    time_zone: str = "UTC"
    source_time_zones: Mapping[str, str] = field(default_factory=dict)
    reporting_currency: str = "USD"
    hash_key: str | None = field(default=None, repr=False)
    threads: int = 2
    memory_limit: str = "8GB"
    schedule: str = "0 2 * * *"
    lock_wait_seconds: float = 6 * 3600.0
    keep_publications: int = 3
    is_production: bool = False
    openlineage: str | None = None
    report: bool = True
    dagster_home: Path | None = None
    alert_webhook: str | None = field(default=None, repr=False)
    alert_smtp: str | None = None
    alert_smtp_user: str | None = None
    alert_smtp_password: str | None = field(default=None, repr=False)
    alert_mail_from: str | None = None
    alert_mail_to: str | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without touching a disk.

        Raises:
            SettingsError: A value that no night could run with.
        """
        check_time_zone(self.time_zone)
        for table, zone in self.source_time_zones.items():
            check_time_zone(zone, f"of raw table {table}")
        if not _CURRENCY.match(self.reporting_currency):
            raise SettingsError(
                f"Reporting currency {self.reporting_currency!r} is no ISO 4217 code; use three capital "
                "letters, e.g. USD or EUR."
            )
        if self.threads < 1:
            raise SettingsError(f"Threads must be 1 or more, not {self.threads}.")
        if not _MEMORY.match(self.memory_limit):
            raise SettingsError(
                f"Memory limit {self.memory_limit!r} is not understood; write e.g. 8GB or 512MB."
            )
        if self.hash_key is not None and len(self.hash_key) < _MINIMUM_HASH_KEY_LENGTH:
            raise SettingsError(
                f"{PREFIX}HASH_KEY is shorter than {_MINIMUM_HASH_KEY_LENGTH} characters; make one with "
                "`python -c 'import secrets; print(secrets.token_hex(32))'`."
            )
        if self.is_production and self.hash_key is None:
            raise SettingsError(
                f"{PREFIX}HASH_KEY is not set, and {PREFIX}PRODUCTION takes no key from a file beside the "
                "data; give the key to the environment, e.g. from your secret store."
            )
        if len(self.schedule.split()) != 5:
            raise SettingsError(
                f"Schedule {self.schedule!r} is no cron expression of five fields, e.g. '0 2 * * *'."
            )
        if self.keep_publications < 1:
            raise SettingsError(
                f"Publications to keep must be 1 or more, not {self.keep_publications}: one is current."
            )
        if self.lock_wait_seconds < 0:
            raise SettingsError(
                f"Waiting time for the lock must be 0 or more seconds, not {self.lock_wait_seconds}."
            )
        self._check_alerts()

    def _check_alerts(self) -> None:
        """Check where alerts go; the address of a webhook is a secret and never part of a message.

        Raises:
            SettingsError: An address that nothing can be sent to, or half of what mail needs.
        """
        if self.alert_webhook is not None and not _is_address(self.alert_webhook, ("http", "https")):
            raise SettingsError(f"{PREFIX}ALERT_WEBHOOK is no address; write https://host/path.")
        if self.alert_smtp is not None and not _is_address(self.alert_smtp, ("smtp", "smtps")):
            raise SettingsError(
                f"{PREFIX}ALERT_SMTP is no mail server; write smtp://host:587 or smtps://host:465, and the "
                f"account as {PREFIX}ALERT_SMTP_USER and {PREFIX}ALERT_SMTP_PASSWORD."
            )
        mail = {
            "ALERT_SMTP": self.alert_smtp,
            "ALERT_MAIL_FROM": self.alert_mail_from,
            "ALERT_MAIL_TO": self.alert_mail_to,
        }
        missing = [name for name, value in mail.items() if value is None]
        if missing and len(missing) < len(mail):
            raise SettingsError(f"Alerts by mail need {PREFIX}{missing[0]}, too.")
        if (self.alert_smtp_user is None) != (self.alert_smtp_password is None):
            raise SettingsError(
                f"{PREFIX}ALERT_SMTP_USER and {PREFIX}ALERT_SMTP_PASSWORD belong together; set both or none."
            )

    @property
    def hash_key_file(self) -> Path:
        """File that keeps the warehouse's own key when none is set."""
        return self.warehouse / "hash.key"

    def fingerprint(self) -> str:
        """Return a hash of the settings that every stored row depends on: time zones, currency and key."""
        zones = sorted(self.source_time_zones.items())
        parts = [self.time_zone, self.reporting_currency, zones, self.known_hash_key()]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    def known_hash_key(self) -> str | None:
        """Return the key that salts identifiers, if one is set or was made before."""
        if self.hash_key is None and self.hash_key_file.is_file():
            return self.hash_key_file.read_text(encoding="ascii").strip()
        return self.hash_key

    def private_hash_key(self) -> str:
        """Return the key that salts identifiers; make and keep a random one when none is set.

        The key file is readable by its owner only. Losing it changes every published hash, so it belongs
        into the warehouse's backup.
        """
        if self.hash_key is not None:
            return self.hash_key
        self.warehouse.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(self.hash_key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = self.hash_key_file.read_text(encoding="ascii").strip()
            if len(key) < _MINIMUM_HASH_KEY_LENGTH:
                raise SettingsError(
                    f"The key file {self.hash_key_file} is damaged; restore it from a backup, or remove it "
                    "and run with --full-refresh to start with new hashes."
                ) from None
            return key
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            key = secrets.token_hex(32)
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        return key

    def last_complete_day(self, now: datetime | None = None) -> date:
        """Return yesterday in the business time zone: the last business day that has ended.

        Args:
            now: An aware moment; the current one when absent.
        """
        moment = now or datetime.now(tz=ZoneInfo("UTC"))
        return moment.astimezone(ZoneInfo(self.time_zone)).date() - timedelta(days=1)

    def variables(self) -> dict[str, str]:
        """Return the environment variables that say the same as these settings (absolute paths)."""
        values = {
            "RAW": str(self.raw.resolve()),
            "WAREHOUSE": str(self.warehouse.resolve()),
            "TIME_ZONE": self.time_zone,
            "SOURCE_TIME_ZONES": ",".join(
                f"{table}={zone}" for table, zone in self.source_time_zones.items()
            ),
            "REPORTING_CURRENCY": self.reporting_currency,
            "THREADS": str(self.threads),
            "MEMORY_LIMIT": self.memory_limit,
            "SCHEDULE": self.schedule,
            "LOCK_WAIT_SECONDS": str(self.lock_wait_seconds),
            "KEEP_PUBLICATIONS": str(self.keep_publications),
            "PRODUCTION": str(self.is_production).lower(),
            "REPORT": str(self.report).lower(),
        }
        optional = {
            "HASH_KEY": self.hash_key,
            "OPENLINEAGE": self.openlineage,
            "ALERT_WEBHOOK": self.alert_webhook,
            "ALERT_SMTP": self.alert_smtp,
            "ALERT_SMTP_USER": self.alert_smtp_user,
            "ALERT_SMTP_PASSWORD": self.alert_smtp_password,
            "ALERT_MAIL_FROM": self.alert_mail_from,
            "ALERT_MAIL_TO": self.alert_mail_to,
        }
        values.update({name: value for name, value in optional.items() if value is not None})
        variables = {PREFIX + name: value for name, value in values.items()}
        if self.dagster_home is not None:
            variables["DAGSTER_HOME"] = str(self.dagster_home.resolve())
        return variables

    def apply(self, environment: MutableMapping[str, str] | None = None) -> None:
        """Hand these settings to dbt's profile, to Dagster and to child processes: write the environment."""
        target = os.environ if environment is None else environment
        for name, value in SILENT_TELEMETRY.items():
            target.setdefault(name, value)
        target.update(self.variables())

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Hand these settings to dbt's profile for a moment."""
        before = dict(os.environ)
        self.apply()
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Args:
        environment: Variables to read; those of the process when absent.

    Raises:
        SettingsError: An `ENGAGEMENT_*` variable that nobody reads, or a value that is not understood.
    """
    variables = os.environ if environment is None else environment
    given = {name.removeprefix(PREFIX): value for name, value in variables.items() if name.startswith(PREFIX)}
    unknown = sorted(set(given) - set(_READERS))
    if unknown:
        near = difflib.get_close_matches(unknown[0], _READERS, n=1)
        hint = (
            f"did you mean {PREFIX}{near[0]}?"
            if near
            else f"known are {', '.join(PREFIX + k for k in _READERS)}."
        )
        raise SettingsError(f"Nothing reads the environment variable {PREFIX}{unknown[0]}; {hint}")
    values: dict[str, object] = {}
    for name, value in given.items():
        if value != "":
            attribute, read = _READERS[name]
            values[attribute] = read(name, value)
    if variables.get("DAGSTER_HOME"):
        values["dagster_home"] = Path(variables["DAGSTER_HOME"]).expanduser()
    return Settings(**values)  # type: ignore[arg-type]


def point_dbt_at_published() -> None:
    """Let dbt read the published file in this process, and nothing else: target `published`."""
    os.environ["DBT_TARGET"] = "published"


def silence_telemetry() -> None:
    """Switch off the telemetry of Dagster, dbt and Great Expectations unless somebody has asked for it."""
    for name, value in SILENT_TELEMETRY.items():
        os.environ.setdefault(name, value)


def collect_garbage_rarely() -> None:
    """Let Python look for unreachable cycles less often.

    Dagster, dbt and Great Expectations make a million objects that stay; looking through them again and
    again is a tenth of their time.
    """
    gc.set_threshold(50_000, 20, 50)


def check_time_zone(name: str, of_what: str = "of the business") -> str:
    """Return the name of an existing time zone.

    Raises:
        SettingsError: There is no such zone.
    """
    if name not in available_timezones():
        near = difflib.get_close_matches(name, available_timezones(), n=1)
        hint = f"did you mean {near[0]}?" if near else "use an IANA name such as America/New_York."
        raise SettingsError(f"Time zone {name!r} {of_what} does not exist; {hint}")
    return name


def read_source_time_zones(text: str) -> dict[str, str]:
    """Read `orders=America/New_York,web_events=UTC` into a map of raw table to time zone.

    Raises:
        SettingsError: A part without `=`, or a table named twice.
    """
    zones: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        table, equals, zone = (piece.strip() for piece in part.partition("="))
        if not (equals and table and zone):
            raise SettingsError(
                f"Source time zone {part!r} is not understood; write table=zone, e.g. orders=UTC."
            )
        if table in zones:
            raise SettingsError(f"Raw table {table} has two source time zones; keep one of them.")
        zones[table] = check_time_zone(zone, f"of raw table {table}")
    return zones


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    """Whether a text is a URL of one of the schemes, with a host and without an account in it."""
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False


def _path(_: str, text: str) -> Path:
    return Path(text).expanduser()


def _text(_: str, text: str) -> str:
    return text


def _lineage_target(name: str, text: str) -> str:
    if "://" not in text:
        return str(Path(text).expanduser().resolve())
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise SettingsError(
            f"{PREFIX}{name} must be a file or an address like http://localhost:5000/api/v1/lineage."
        )
    return text


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{PREFIX}{name} must be a whole number, not {text!r}.") from None


def _seconds(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"{PREFIX}{name} must be a number of seconds, not {text!r}.") from None


def _boolean(name: str, text: str) -> bool:
    values = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    try:
        return values[text.strip().lower()]
    except KeyError:
        raise SettingsError(f"{PREFIX}{name} must be true or false, not {text!r}.") from None


def _zones(_: str, text: str) -> dict[str, str]:
    return read_source_time_zones(text)


# Environment variable without its prefix -> attribute of Settings, and how it is read.
_READERS = {
    "RAW": ("raw", _path),
    "WAREHOUSE": ("warehouse", _path),
    "TIME_ZONE": ("time_zone", _text),
    "SOURCE_TIME_ZONES": ("source_time_zones", _zones),
    "REPORTING_CURRENCY": ("reporting_currency", _text),
    "HASH_KEY": ("hash_key", _text),
    "THREADS": ("threads", _integer),
    "MEMORY_LIMIT": ("memory_limit", _text),
    "SCHEDULE": ("schedule", _text),
    "LOCK_WAIT_SECONDS": ("lock_wait_seconds", _seconds),
    "KEEP_PUBLICATIONS": ("keep_publications", _integer),
    "ALERT_WEBHOOK": ("alert_webhook", _text),
    "ALERT_SMTP": ("alert_smtp", _text),
    "ALERT_SMTP_USER": ("alert_smtp_user", _text),
    "ALERT_SMTP_PASSWORD": ("alert_smtp_password", _text),
    "ALERT_MAIL_FROM": ("alert_mail_from", _text),
    "ALERT_MAIL_TO": ("alert_mail_to", _text),
    "PRODUCTION": ("is_production", _boolean),
    "OPENLINEAGE": ("openlineage", _lineage_target),
    "REPORT": ("report", _boolean),
}
