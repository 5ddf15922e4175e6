"""The files of a warehouse and the identity of one night: plain values that everybody shares.

What does NOT belong here: SQL, Dagster, the environment.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path


@dataclass(frozen=True)
class Warehouse:
    """The folder of a warehouse and what stands where in it.

    Attributes:
        folder: The folder itself.
    """

    folder: Path

    @property
    def published(self) -> Path:
        """What BI reads: schemas marts and audit, replaced whole."""
        return self.folder / "engagement.duckdb"

    @property
    def report(self) -> Path:
        """The picture of what is published: one HTML page, made anew after every publication."""
        return self.folder / "engagement.html"

    @property
    def kept(self) -> Path:
        """Folder of the last publications, to which readers can be taken back."""
        return self.folder / "publications"

    @property
    def erasures(self) -> Path:
        """Register of erasures: the tombstones of erased persons, and what was done when."""
        return self.folder / "erasures.json"

    @property
    def lock(self) -> Path:
        """Lock of the single writer."""
        return self.folder / "night.lock"

    @property
    def build(self) -> Path:
        """Folder of what is built on the way."""
        return self.folder / "build"

    @property
    def staging_file(self) -> Path:
        """Main database of dbt: schemas raw, seeds, staging and intermediate."""
        return self.build / "staging.duckdb"

    @property
    def marts_file(self) -> Path:
        """The database that is copied to publish: schemas marts and audit."""
        return self.build / "engagement.duckdb"

    @property
    def spill(self) -> Path:
        """DuckDB's temporary files."""
        return self.build / "spill"

    @property
    def gathered(self) -> Path:
        """Rows of raw tables of very many files, while a night reads them; see `warehouse.raw_zone`."""
        return self.build / "gathered"

    @property
    def dbt_target(self) -> Path:
        """Compiled SQL of the last night."""
        return self.build / "dbt"

    @property
    def error_log(self) -> Path:
        """Traceback of the last unexpected error."""
        return self.build / "error.log"

    def file_of(self, database: str) -> Path:
        """Return the build file behind a database name of dbt: `engagement` is the attached one."""
        return self.marts_file if database == "engagement" else self.staging_file

    def prepare(self) -> None:
        """Make the folders; what is built on the way names persons, so its folder is its owner's alone."""
        self.build.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.spill, self.dbt_target):
            folder.mkdir(parents=True, exist_ok=True)

    def forget_gathered(self) -> None:
        """Remove what was gathered from the raw zone; the next night makes its own."""
        shutil.rmtree(self.gathered, ignore_errors=True)

    def forget_spilled(self) -> None:
        """Remove what killed nights have spilled; call it with the writer's lock held.

        The engine removes its own when it ends, and never what another process has left.
        """
        for path in self.spill.glob("duckdb_temp_*"):
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Basis:
    """What a night builds on.

    Attributes:
        number: Number of this night, counted up whenever one begins.
        last_number: Number of the last succeeded night; 0 when this one builds everything.
        last_as_of: Its snapshot date; None when this night builds everything.
        known_until: The end of that day, naive UTC: the tables hold nothing that occurred later.
        reason: In a few words, for people: what it builds on, or why on nothing.
    """

    number: int
    last_number: int = 0
    last_as_of: date | None = None
    known_until: datetime | None = None
    reason: str = "first night"


@dataclass(frozen=True)
class Night:
    """One run over one warehouse.

    Attributes:
        run_id: The orchestrator's id of the run.
        as_of: Last business day that the run knows of.
        started_at: When it started, aware, UTC.
        is_full_refresh: Whether incremental tables are built anew.
        business_time_zone: IANA name.
        reporting_currency: ISO 4217 code.
        code_version: Version of the code that runs.
        seeds_hash: Fingerprint of the business decisions under `seeds/`.
        basis: What it builds on.
        settings_fingerprint: Hash of the settings that every row depends on.
    """

    run_id: str
    as_of: date
    started_at: datetime
    is_full_refresh: bool
    business_time_zone: str
    reporting_currency: str
    code_version: str
    seeds_hash: str
    basis: Basis = field(default_factory=lambda: Basis(number=1))
    settings_fingerprint: str = ""


def utc_now() -> datetime:
    """Return this moment, aware, in UTC."""
    return datetime.now(tz=UTC)
