"""The command `engagement`: a night without Dagster's UI, and what a person needs around it.

Exit status: 0 done; 1 not published, readers see what they saw before (`trace`: a number does not follow from
its rows); 2 wrong usage, settings or raw tables.
Heavy imports (Dagster, dbt, Great Expectations: seconds) stand in the commands that need them, so that help
and wrong usage answer at once. What does NOT belong here: SQL, and how a night works (`orchestration.defs`).
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import click

from orchestration import settings as settings_module
from orchestration.settings import PROJECT_ROOT, Settings, SettingsError, collect_garbage_rarely

if TYPE_CHECKING:
    from dagster import ExecuteInProcessResult
    from rich.console import Console

    from warehouse.night import Warehouse

Parameters = ParamSpec("Parameters")

NOT_PUBLISHED = 1
WRONG_USAGE = 2

_PLAIN_WIDTH = 120
_TRACE_WIDTH = 200


class Refusal(click.ClickException):
    """An expected end: one message, no traceback."""

    def __init__(self, message: str, exit_code: int) -> None:
        """Take the message for the person and the exit status.

        Args:
            message: What is wrong and what to do.
            exit_code: `NOT_PUBLISHED` or `WRONG_USAGE`.
        """
        super().__init__(message)
        vars(self)["exit_code"] = exit_code

    def show(self, file: Any = None) -> None:
        """Print the message to the standard error."""
        click.echo(f"engagement: {self.message}", err=True)


def _plainly(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Wrap a command so that what goes wrong is said in a sentence."""

    @wraps(command)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SettingsError as error:
            raise Refusal(str(error), WRONG_USAGE) from error

    return wrapped


_warehouse_option = click.option(
    "--warehouse",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the warehouse.  [env: ENGAGEMENT_WAREHOUSE]",
)
_raw_option = click.option(
    "--raw",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the raw zone, one sub-folder per raw table.  [env: ENGAGEMENT_RAW]",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("engagement-warehouse"), prog_name="engagement")
def main() -> None:
    """Raw channel tables in; how customers engage, along five dimensions, out."""


@main.command()
@_raw_option
@_warehouse_option
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Last business day that the night knows of.  [default: yesterday in the business time zone]",
)
@click.option("--timezone", help="Business time zone, e.g. America/New_York.  [env: ENGAGEMENT_TIME_ZONE]")
@click.option(
    "--source-timezone",
    "source_timezones",
    metavar="TABLE=ZONE",
    multiple=True,
    help="Time zone of a raw table's timestamps without an offset; may be repeated.  [default: UTC]",
)
@click.option("--currency", help="Reporting currency, e.g. EUR.  [env: ENGAGEMENT_REPORTING_CURRENCY]")
@click.option("--full-refresh", is_flag=True, help="Build every table anew, from all files.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Wait for another writer.  [default: 0]",
)
@_plainly
def nightly(
    raw: Path | None,
    warehouse: Path | None,
    as_of: datetime | None,
    timezone: str | None,
    source_timezones: Sequence[str],
    currency: str | None,
    full_refresh: bool,
    wait: float,
) -> None:
    """Run a night: raw zone to published file, gated.

    The night is the Dagster job `nightly`, run in this process. Its events go to the Dagster home if
    DAGSTER_HOME names one and to memory otherwise: what lasts of a night is in schema audit.
    """
    settings = _settings(raw, warehouse, timezone, source_timezones, currency)
    day = as_of.date() if as_of else settings.last_complete_day()
    _start_night(settings, day, wait, full_refresh=full_refresh)


@main.command()
@_raw_option
@_warehouse_option
@click.option(
    "--from",
    "first_day",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    help="First business day to build again.",
)
@click.option(
    "--to", "last_day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Last one: the snapshot date."
)
@click.option("--timezone", help="Business time zone, e.g. America/New_York.  [env: ENGAGEMENT_TIME_ZONE]")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Wait for another writer.  [default: 0]",
)
@_plainly
def backfill(
    raw: Path | None,
    warehouse: Path | None,
    first_day: datetime,
    last_day: datetime,
    timezone: str | None,
    wait: float,
) -> None:
    """Replay a range of snapshot dates as one run.

    One night as of the last day, in which everything since the first day is built again: it builds on an
    earlier night only where that knows nothing of the range.
    """
    if last_day < first_day:
        raise Refusal(f"--to {last_day.date()} lies before --from {first_day.date()}.", WRONG_USAGE)
    settings = _settings(raw, warehouse, timezone, (), None)
    _start_night(settings, last_day.date(), wait, restate_from=first_day.date())


@main.command()
@_warehouse_option
@_plainly
def status(warehouse: Path | None) -> None:
    """Say what is published, from which run, how fresh, and which checks it passed."""
    settings = _settings(None, warehouse, None, (), None)

    from orchestration.report import show_status
    from warehouse.night import Warehouse

    if not show_status(_console(), Warehouse(settings.warehouse)):
        raise SystemExit(NOT_PUBLISHED)


@main.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}, add_help_option=True
)
@_warehouse_option
@click.argument("question", nargs=-1, required=True, type=click.UNPROCESSED, metavar="QUESTION...")
@_plainly
def metrics(warehouse: Path | None, question: Sequence[str]) -> None:
    """Ask MetricFlow for metrics of the published file, read-only.

    QUESTION is what would stand after `mf`: `list metrics`, `list dimensions --metrics score`,
    `query --metrics proactive_share --group-by metric_time__month`, `query --help`.
    """
    settings = _settings(None, warehouse, None, (), None)
    settings.apply()

    from orchestration import dbt
    from orchestration import metrics as metricflow
    from warehouse.night import Warehouse

    published = Warehouse(settings.warehouse).published
    if not published.is_file():
        raise Refusal(f"Nothing is published yet: {published} does not exist.", NOT_PUBLISHED)
    settings_module.point_dbt_at_published()
    try:
        status = metricflow.ask(question)
    except (metricflow.MetricsError, dbt.DbtError) as error:
        raise Refusal(str(error), WRONG_USAGE) from error
    # what is asked of a file that is only read can fail by the question alone
    raise SystemExit(WRONG_USAGE if status else 0)


@main.command()
@_warehouse_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="HTML file to write.  [default: engagement.html of the warehouse]",
)
@_plainly
def report(warehouse: Path | None, out: Path | None) -> None:
    """Write a picture of what is published: one HTML page of sums and shares, without scripts."""
    settings = _settings(None, warehouse, None, (), None)

    from report import page
    from warehouse.night import Warehouse

    place = Warehouse(settings.warehouse)
    target = (out or place.report).resolve()
    try:
        size = page.write(place.published, target)
    except page.ReportError as error:
        raise Refusal(str(error), NOT_PUBLISHED) from error
    click.echo(f"Report: {target} ({size / 1_000:,.0f} kB)")


@main.command()
@_warehouse_option
@click.option(
    "--to", "run_id", metavar="RUN", help="Run to go to, or how its id begins.  [default: the one before]"
)
@click.option("--list", "is_listed", is_flag=True, help="Only say which publications are kept.")
@_plainly
def rollback(warehouse: Path | None, run_id: str | None, is_listed: bool) -> None:
    """Take readers back to an earlier publication, at once and whole; the report with them.

    How many are kept is ENGAGEMENT_KEEP_PUBLICATIONS. The next night goes forward again: it builds on the
    last one that went well, whatever readers see.
    """
    settings = _settings(None, warehouse, None, (), None)

    from orchestration.report import show_editions
    from warehouse import lock, rollback
    from warehouse.night import Warehouse

    place = Warehouse(settings.warehouse)
    try:
        if not is_listed:
            rollback.roll_back(
                place,
                run_id,
                command=" ".join(["engagement", *sys.argv[1:]]),
                and_then=lambda: _redraw(place, is_wanted=settings.report),
            )
        show_editions(_console(), rollback.kept(place))
    except rollback.UnknownRunError as error:
        raise Refusal(str(error), WRONG_USAGE) from error
    except (rollback.RollbackError, lock.WarehouseBusyError) as error:
        raise Refusal(str(error), NOT_PUBLISHED) from error
    except OSError as error:
        raise Refusal(f"The warehouse {place.folder} cannot be written: {error}", NOT_PUBLISHED) from error


def _redraw(place: Warehouse, *, is_wanted: bool) -> None:
    """Draw the report of what readers see now; rather none than one of what they must not see."""
    from report import page

    if not is_wanted and not place.report.exists():
        return
    try:
        page.write(place.published, place.report)
    except Exception as error:
        # readers have been taken back, and that must not count as failed
        with suppress(OSError):
            place.report.unlink(missing_ok=True)
        what = " ".join(str(error).split()) or type(error).__name__
        click.echo(f"engagement: there is no report of this publication: {what}", err=True)


_identifier_option = click.option(
    "--identifier",
    "identifiers",
    metavar="KIND=VALUE",
    multiple=True,
    help="An identifier of the person, e.g. email=ada@example.org; may be repeated.",
)


@main.command()
@_identifier_option
@click.option("--requested", is_flag=True, help="Everybody in raw table erasure_requests.")
@click.option("--list-raw", is_flag=True, help="Name the rows of the raw zone, for its owner.")
@click.option("--yes", is_flag=True, help="Do it; without this nothing is changed.")
@_raw_option
@_warehouse_option
@_plainly
def erase(
    identifiers: Sequence[str],
    requested: bool,
    list_raw: bool,
    yes: bool,
    raw: Path | None,
    warehouse: Path | None,
) -> None:
    """Erase a person from everything that is built; first say what that is.

    All identifiers of the same customer are one person. With --yes the last night is built again without
    the person, and published; earlier publications are removed.
    """
    if bool(identifiers) == requested:
        raise Refusal("Name a person with --identifier, or take all with --requested.", WRONG_USAGE)
    settings = _settings(raw, warehouse, None, (), None)

    from orchestration import erasing
    from orchestration.report import show_held, show_raw_rows

    with _refusals_of_persons():
        keys = [erasing.read_identifier(text) for text in identifiers]
        held = erasing.look_up(settings, None if requested else [keys])
        console = _console()
        show_held(console, held)
        if list_raw:
            show_raw_rows(console, held)
        if not yes:
            click.echo("Nothing was changed. With --yes this is erased.")
            return
        held = [one for one in held if not one.is_erased]
        if not held:
            raise Refusal("Erased before; what is left stands in the raw zone, see --list-raw.", WRONG_USAGE)
        _start_night(
            settings,
            erasing.last_day(settings),
            0.0,
            command="engagement erase",
            before=lambda: erasing.record(settings, held),
        )
        left = erasing.still_held(settings, held)
    if left:
        raise Refusal(f"Rows are still held in {', '.join(sorted(left))}.", NOT_PUBLISHED)
    click.echo("Erased: no row of the build files and of the published file names the person any more.")
    click.echo("The raw zone is its owner's: --list-raw named what to erase there.")


@main.command("export-person")
@_identifier_option
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="JSON file to write."
)
@_raw_option
@_warehouse_option
@_plainly
def export_person(identifiers: Sequence[str], out: Path, raw: Path | None, warehouse: Path | None) -> None:
    """Write everything that is held about a person: raw rows, staging, marts, quarantine."""
    if not identifiers:
        raise Refusal("Name a person with --identifier.", WRONG_USAGE)
    settings = _settings(raw, warehouse, None, (), None)

    from orchestration import erasing

    with _refusals_of_persons():
        keys = [erasing.read_identifier(text) for text in identifiers]
        try:
            written = erasing.export(settings, keys, out)
        except OSError as error:
            raise Refusal(f"{out} cannot be written: {error}", NOT_PUBLISHED) from error
    click.echo(f"{sum(written.values()):,} rows of {len(written):,} tables: {out}")


@contextmanager
def _refusals_of_persons() -> Iterator[None]:
    """Say in a sentence why a person cannot be looked up, exported or erased."""
    from orchestration.dbt import DbtError
    from orchestration.erasing import NobodyError
    from warehouse.erasures import ErasureError
    from warehouse.lock import WarehouseBusyError
    from warehouse.persons import UnknownPersonError
    from warehouse.raw_files import RawZoneError

    try:
        yield
    except (NobodyError, RawZoneError) as error:
        raise Refusal(str(error), WRONG_USAGE) from error
    except (DbtError, ErasureError, UnknownPersonError, WarehouseBusyError) as error:
        raise Refusal(str(error), NOT_PUBLISHED) from error


@main.command()
@click.argument("model")
@click.option("--customer", required=True, metavar="ID", help="customer_id, as in the marts.")
@click.option(
    "--snapshot", type=click.DateTime(["%Y-%m-%d"]), help="Snapshot date.  [default: the current one]"
)
@click.option("--column", metavar="COLUMN", help="Only this number and the rows behind it.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON, with every row.")
@click.option(
    "--rows",
    "rows_shown",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Interactions, and touches, to print at most, the latest; 0 for all.",
)
@click.option(
    "--in-clear", is_flag=True, help="Show identifiers in raw rows as they are; without it they are hashed."
)
@_raw_option
@_warehouse_option
@_plainly
def trace(
    model: str,
    customer: str,
    snapshot: datetime | None,
    column: str | None,
    is_json: bool,
    rows_shown: int,
    in_clear: bool,
    raw: Path | None,
    warehouse: Path | None,
) -> None:
    """Show what a customer's row of MODEL is made of, and count it anew from that.

    From the number to interactions and touches, to raw rows, to the run and its checks. Raw rows are for
    those who may read the warehouse's build files. Exit status 1 when a number does not follow from its rows.
    """
    settings = _settings(raw, warehouse, None, (), None)

    from orchestration import dbt, trace_report
    from warehouse.contract import read_contract
    from warehouse.night import Warehouse
    from warehouse.trace.evidence import TraceError
    from warehouse.trace.walk import NothingPublishedError
    from warehouse.trace.walk import trace as walk

    try:
        found = walk(
            Warehouse(settings.warehouse),
            settings.raw,
            read_contract(PROJECT_ROOT),
            PROJECT_ROOT / "seeds",
            model=model,
            customer=customer,
            snapshot=snapshot.date() if snapshot else None,
            column=column,
            in_clear=in_clear,
            seeds_hash=dbt.seeds_hash(),
        )
    except NothingPublishedError as error:
        raise Refusal(str(error), NOT_PUBLISHED) from error
    except TraceError as error:
        raise Refusal(str(error), WRONG_USAGE) from error
    if is_json:
        click.echo(trace_report.as_json(found))
    else:
        trace_report.show_trace(_console(_TRACE_WIDTH), found, rows_shown=rows_shown)
    if not found.agrees:
        raise Refusal(trace_report.disagreement(found), NOT_PUBLISHED)


@main.group()
def land() -> None:
    """Land a real data set as raw channel tables."""


@land.command("complete-journey")
@_raw_option
@_plainly
def land_complete_journey(raw: Path | None) -> None:
    """Land a US grocer's 2017: baskets, mailings, redemptions."""
    from loaders import complete_journey

    _land(complete_journey.land, raw)


@land.command("cdnow")
@_raw_option
@click.option("--through", type=click.DateTime(["%Y-%m-%d"]), help="Last day to land.  [default: all]")
@_plainly
def land_cdnow(raw: Path | None, through: datetime | None) -> None:
    """Land CDNOW's purchases of 1997 and 1998."""
    from loaders import cdnow

    _land(lambda folder: cdnow.land(folder, through=through.date() if through else None), raw)


@main.command()
@click.option("--customers", type=click.IntRange(min=1), default=1_000, show_default=True)
@click.option("--days", type=click.IntRange(min=14), default=180, show_default=True)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="The same seed gives the same files.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Raw zone to write."
)
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="Last day of the period.")
@_plainly
def sample(customers: int, days: int, seed: int, out: Path, end: datetime | None) -> None:
    """Write a synthetic raw zone of every channel, with the truth beside it."""
    from loaders.sample import DEFAULT_END, SampleError, generate

    begun = time.monotonic()
    try:
        summary = generate(customers, days, seed, out, end_on=end.date() if end else DEFAULT_END)
    except SampleError as error:
        raise Refusal(str(error), WRONG_USAGE) from error
    for table, rows in summary.rows.items():
        click.echo(f"  {table:<24}{rows:>12,} rows")
    click.echo(
        f"Synthetic raw zone of {customers:,} customers and {days:,} days until {summary.end_on}: {out}"
    )
    click.echo(
        f"Nobody in it exists; the truth about it is in {summary.truth} ({time.monotonic() - begun:.1f} s)"
    )


@main.command()
@_raw_option
@_warehouse_option
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; it has no password."
)
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@_plainly
def serve(raw: Path | None, warehouse: Path | None, host: str, port: int) -> None:
    """Run Dagster's web server and daemon: the schedule ticks while this runs."""
    settings = _settings(raw, warehouse, None, (), None)
    home = _prepared_home(settings)
    replace(settings, dagster_home=home).apply()
    click.echo(f"Dagster home {home}; http://{host}:{port}")
    # Not the project: Dagster would mention that it does not read the dagster.yaml there.
    os.chdir(home)
    dg = str(Path(sys.executable).with_name("dg"))
    workspace = str(Path(__file__).with_name("workspace.yaml"))
    os.execv(dg, [dg, "dev", "--workspace", workspace, "--host", host, "--port", str(port)])  # noqa: S606


@main.command()
@_warehouse_option
@_plainly
def home(warehouse: Path | None) -> None:
    """Print the Dagster home, made when absent: export DAGSTER_HOME="$(engagement home)"."""
    click.echo(_prepared_home(_settings(None, warehouse, None, (), None)))


@main.command()
@_warehouse_option
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder.  [default: target/docs]"
)
@_plainly
def docs(warehouse: Path | None, out: Path | None) -> None:
    """Write dbt's documentation of every table as one static page."""
    settings = _settings(None, warehouse, None, (), None)
    settings.apply()

    from orchestration import dbt
    from warehouse.night import Warehouse

    Warehouse(settings.warehouse).prepare()
    try:
        page = dbt.generate_docs((out or PROJECT_ROOT / "target" / "docs").resolve())
    except dbt.DbtError as error:
        raise Refusal(str(error), NOT_PUBLISHED) from error
    click.echo(f"Documentation: {page}")


def prepare_home(home: Path) -> None:
    """Make a Dagster home, with the project's `dagster.yaml` unless it has one of its own.

    Args:
        home: The folder for `DAGSTER_HOME`.
    """
    home.mkdir(parents=True, exist_ok=True)
    template = PROJECT_ROOT / "dagster.yaml"
    target = home / template.name
    if not target.exists():
        target.write_text(template.read_text(encoding="utf-8"), encoding="utf-8")


def _prepared_home(settings: Settings) -> Path:
    home = (settings.dagster_home or settings.warehouse / ".dagster").resolve()
    prepare_home(home)
    return home


def _settings(
    raw: Path | None,
    warehouse: Path | None,
    timezone: str | None,
    source_timezones: Sequence[str],
    currency: str | None,
) -> Settings:
    """Return the environment's settings with what the command line says instead."""
    given: dict[str, Any] = {
        "raw": raw,
        "warehouse": warehouse,
        "time_zone": timezone,
        "source_time_zones": settings_module.read_source_time_zones(",".join(source_timezones)) or None,
        "reporting_currency": currency,
    }
    settings = settings_module.from_environment()
    settings = replace(settings, **{name: value for name, value in given.items() if value is not None})
    return replace(settings, raw=settings.raw.resolve(), warehouse=settings.warehouse.resolve())


def _land(loader: Callable[[Path], Any], raw: Path | None) -> None:
    from loaders.write import LandingError

    folder = _settings(raw, None, None, (), None).raw
    begun = time.monotonic()
    try:
        summary = loader(folder)
    except LandingError as error:
        raise Refusal(str(error), NOT_PUBLISHED) from error
    for table, rows in summary.rows.items():
        click.echo(f"  {table:<24}{rows:>12,} rows")
    click.echo(f"Landed in {folder} ({time.monotonic() - begun:.1f} s)")


def _start_night(
    settings: Settings,
    day: date,
    wait: float,
    *,
    full_refresh: bool = False,
    restate_from: date | None = None,
    command: str | None = None,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Take the warehouse and run one night in it.

    Args:
        settings: The settings of the night.
        day: Its snapshot date.
        wait: Seconds to wait for another writer.
        full_refresh: Build every table anew.
        restate_from: First day to build again.
        command: What others are told that started it; the command line when absent.
        before: Done once the warehouse is held, before the night.

    Raises:
        Refusal: The day has not ended, there is no raw zone, or the night was not published.
    """
    if min(day, restate_from or day) < settings_module.FIRST_SNAPSHOT_DATE:
        raise Refusal(f"Snapshot dates begin at {settings_module.FIRST_SNAPSHOT_DATE}.", WRONG_USAGE)
    if day > settings.last_complete_day():
        raise Refusal(
            f"{day} has not ended in {settings.time_zone}; the latest day to build is "
            f"{settings.last_complete_day()}.",
            WRONG_USAGE,
        )
    if not settings.raw.is_dir():
        raise Refusal(f"There is no raw zone {settings.raw}; name its folder with --raw.", WRONG_USAGE)

    from warehouse import lock
    from warehouse.night import Warehouse

    place = Warehouse(settings.warehouse)
    command = command or " ".join(["engagement", *sys.argv[1:]])
    try:
        # Taken before the heavy imports: whoever is second learns it at once.
        with lock.hold(
            place.lock,
            run_id="starting",
            command=command,
            as_of=str(day),
            wait_seconds=wait,
            on_wait=_tell_waiting,
        ):
            settings.apply()
            before()
            _run_night(settings, day, full_refresh, restate_from)
    except lock.WarehouseBusyError as error:
        raise Refusal(str(error), NOT_PUBLISHED) from error
    except OSError as error:
        raise Refusal(f"The warehouse {place.folder} cannot be written: {error}", NOT_PUBLISHED) from error


def _run_night(settings: Settings, day: date, full_refresh: bool, restate_from: date | None = None) -> None:
    """Run the job and say what came of it.

    Raises:
        Refusal: The night was not published.
    """
    from rich.text import Text

    from warehouse.night import Warehouse

    console = _console()
    console.print(
        Text.assemble(
            (f"Night of {day}", "bold"), f" ({settings.time_zone}): {settings.raw} -> {settings.warehouse}"
        )
    )
    begun = time.monotonic()
    try:
        outcome = _execute(console, settings, day, full_refresh, restate_from)
    except Exception as error:
        place = Warehouse(settings.warehouse)
        # the first to make the folder decides who may look into it
        place.prepare()
        place.error_log.write_text(traceback.format_exc(), encoding="utf-8")
        what = " ".join(str(_root(error)).split())
        raise Refusal(
            f"The night could not run: {what}\nThe traceback is in {place.error_log}.", NOT_PUBLISHED
        ) from error

    from orchestration.report import failures, show_summary

    seconds = time.monotonic() - begun
    if outcome.success:
        show_summary(console, Warehouse(settings.warehouse), outcome, seconds)
        return
    messages, is_raw_zone = failures(outcome)
    end = (
        "Nothing was written."
        if is_raw_zone and not any(event.is_step_success for event in outcome.all_events)
        else f"Not published after {seconds:.1f} s; readers see what they saw."
    )
    raise Refusal("\n".join([*messages, end]), WRONG_USAGE if is_raw_zone else NOT_PUBLISHED)


def _execute(
    console: Console, settings: Settings, day: date, full_refresh: bool, restate_from: date | None
) -> ExecuteInProcessResult:
    """Run the Dagster job `nightly` in this process; return Dagster's result."""
    import warnings
    from contextlib import ExitStack

    # before the first of the large imports
    collect_garbage_rarely()
    import dagster as dg

    for category in (dg.BetaWarning, dg.PreviewWarning, DeprecationWarning):
        warnings.simplefilter("ignore", category)

    from orchestration.definitions import defs
    from orchestration.defs.schedules import NIGHTLY, night_config
    from orchestration.progress import report_with
    from orchestration.snapshot_dates import SnapshotDates

    report_with(lambda seconds, step, message: _print_progress(console, seconds, step, message))
    job = defs().resolve_job_def(NIGHTLY)
    config = night_config(full_refresh=full_refresh) | {"loggers": {"night": {}}}
    tags = SnapshotDates(day, restate_from).tags()
    with ExitStack() as stack:
        if settings.dagster_home is not None:
            instance = stack.enter_context(dg.DagsterInstance.get())
        else:
            instance = stack.enter_context(dg.DagsterInstance.ephemeral())
        return job.execute_in_process(instance=instance, run_config=config, tags=tags, raise_on_error=False)


def _root(error: BaseException) -> BaseException:
    """Return what an error comes from; the frameworks wrap theirs several times."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _print_progress(console: Console, seconds: str, step: str, message: str) -> None:
    from rich.text import Text

    line = Text.assemble((seconds, "dim"), "  ", (f"{step:<14}", "bold cyan"), message)
    console.print(line, soft_wrap=True)


def _tell_waiting(holder: object) -> None:
    click.echo(f"Waiting for the night that holds the warehouse: {holder}", err=True)


def _console(plain_width: int = _PLAIN_WIDTH) -> Console:
    from rich.console import Console

    # A pipe or a log file has no width of its own; tables need some room.
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=plain_width)


if __name__ == "__main__":
    main()
