import errno
import stat
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from warehouse import lock, publication, rollback
from warehouse.night import Warehouse
from warehouse.publication import Edition, PublicationError, editions, put_back, remove_leftovers

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build file as a night leaves it."""
    path = tmp_path / "build" / "engagement.duckdb"
    path.parent.mkdir()
    write(path, "create schema marts; create table marts.numbers as select 1 as number")
    write(path, "create schema audit; create table audit.runs as select 'first' as run_id")
    return path


def edition(number: int) -> Edition:
    """Of a night on the first days of May 2024."""
    day = date(2024, 5, number)
    return Edition(f"run-{number}", day, datetime(2024, 5, number + 1, 2, 30, 0, 123_456, tzinfo=UTC))


def publish(build: Path, published: Path, number: int = 1, keep: int = 3) -> publication.Publication:
    return publication.publish(build, published, published.parent / "publications", edition(number), keep)


def write(path: Path, statements: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(statements)


def read(path: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_a_publication_is_a_copy_that_owner_and_group_may_read(tmp_path: Path, build: Path):
    published = tmp_path / "engagement.duckdb"
    done = publish(build, published)
    assert read(published, "from marts.numbers") == [(1,)]
    (kept,) = (tmp_path / "publications").iterdir()
    assert kept.name == "20240502T023000.123456Z_2024-05-01_run-1.duckdb"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (published, kept)} == {0o640}
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o750
    assert (done.path, done.size_bytes) == (published, published.stat().st_size)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "engagement.duckdb", "publications"]


def test_what_was_not_yet_written_to_the_file_is_published_too(tmp_path: Path, build: Path):
    with duckdb.connect(str(build)) as connection:
        connection.execute("set checkpoint_threshold = '1GB'; pragma disable_checkpoint_on_shutdown")
        connection.execute("insert into marts.numbers values (2)")
    assert build.with_name(build.name + ".wal").exists()
    publish(build, tmp_path / "engagement.duckdb")
    assert read(tmp_path / "engagement.duckdb", "select count(*) from marts.numbers") == [(2,)]


def test_a_reader_keeps_the_night_that_it_opened(tmp_path: Path, build: Path):
    published = tmp_path / "engagement.duckdb"
    publish(build, published)
    before = published.stat().st_ino
    write(build, "update marts.numbers set number = 2")
    publish(build, published)
    assert published.stat().st_ino != before
    assert read(published, "from marts.numbers") == [(2,)]


def test_what_somebody_wrote_to_the_old_file_does_not_reach_the_new_one(tmp_path: Path, build: Path):
    published = tmp_path / "engagement.duckdb"
    publish(build, published)
    script = (
        f"import duckdb, os; connection = duckdb.connect({str(published)!r});"
        "connection.execute('update marts.numbers set number = 666'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    assert published.with_name("engagement.duckdb.wal").exists()
    publish(build, published)
    assert read(published, "from marts.numbers") == [(1,)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "engagement.duckdb", "publications"]


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ("drop schema marts cascade", "this one holds audit"),
        (
            "create schema staging; create table staging.secret as select 1 as x",
            "holds audit, marts, staging",
        ),
        ("drop table audit.runs; create table audit.other as select 1 as x", "cannot be read"),
    ],
)
def test_a_build_file_that_is_not_fit_leaves_readers_alone(
    tmp_path: Path, build: Path, statements: str, message: str
):
    published = tmp_path / "engagement.duckdb"
    publish(build, published)
    before = published.read_bytes()
    write(build, statements)
    with pytest.raises(PublicationError, match=message):
        publish(build, published)
    assert published.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "engagement.duckdb", "publications"]


def test_a_truncated_copy_is_never_put_in_place(tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch):
    published = tmp_path / "engagement.duckdb"
    publish(build, published)
    before = published.read_bytes()

    def copy_half(source: Path, target: Path) -> None:
        content = source.read_bytes()
        target.write_bytes(content[: len(content) // 2])

    monkeypatch.setattr(publication.files, "copy", copy_half)
    with pytest.raises(PublicationError):
        publish(build, published)
    assert published.read_bytes() == before


def test_a_full_disk_leaves_readers_alone(tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch):
    published = tmp_path / "engagement.duckdb"
    publish(build, published)
    before = published.read_bytes()

    def fail(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publication.files, "copy", fail)
    with pytest.raises(OSError, match="No space"):
        publish(build, published)
    assert published.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "engagement.duckdb", "publications"]


def test_without_a_build_file_there_is_nothing_to_publish(tmp_path: Path):
    with pytest.raises(PublicationError, match="run a night first"):
        publish(tmp_path / "build.duckdb", tmp_path / "engagement.duckdb")


def test_what_dead_writers_left_is_removed_and_nothing_else(tmp_path: Path):
    published = tmp_path / "engagement.duckdb"
    leftovers = [
        tmp_path / "engagement.duckdb.123.publishing",
        tmp_path / "engagement.duckdb.9.publishing.wal",
    ]
    others = [
        published,
        tmp_path / "engagement.duckdb.backup",
        tmp_path / "engagement.duckdb.123.publishing.old",
    ]
    for path in leftovers + others:
        path.touch()
    assert sorted(remove_leftovers(published, tmp_path / "publications")) == sorted(leftovers)
    assert sorted(tmp_path.iterdir()) == sorted(others)


def nights(tmp_path: Path, build: Path, *numbers: int, keep: int = 3) -> Warehouse:
    """A warehouse with publications that say which night they are of."""
    for number in numbers:
        write(build, f"update marts.numbers set number = {number}")
        row = f"select 'run-{number}' as run_id, date '2024-05-0{number}' as as_of"
        moment = f"2024-05-0{number + 1} 02:30:00.123456"
        times = f"timestamp '{moment}' as published_at, null::timestamp as withdrawn_at"
        rest = "now()::timestamp as started_at, '' as business_time_zone, '' as code_version"
        tools = ("dbt", "duckdb", "dagster", "great_expectations")
        versions = ", ".join(f"'' as {tool}_version" for tool in tools)
        made = "create or replace table" if number == numbers[0] else "insert into"
        as_ = "as" if number == numbers[0] else "by name"
        write(build, f"{made} audit.runs {as_} {row}, {times}, {rest}, {versions}")
        publish(build, tmp_path / "engagement.duckdb", number, keep)
    return Warehouse(tmp_path)


def seen(warehouse: Warehouse) -> list[tuple[object, ...]]:
    return read(warehouse.published, "from marts.numbers")


def test_the_last_publications_are_kept(tmp_path: Path, build: Path):
    warehouse = nights(tmp_path, build, 1, 2, 3, 4)
    assert editions(warehouse.kept) == [edition(4), edition(3), edition(2)]
    assert [(kept.edition, kept.is_current) for kept in rollback.kept(warehouse)] == [
        (edition(4), True),
        (edition(3), False),
        (edition(2), False),
    ]
    # Kept under a second name: the current one takes no room of its own.
    assert warehouse.published.samefile(warehouse.kept / edition(4).file_name)
    publish(build, warehouse.published, 5, keep=1)
    assert editions(warehouse.kept) == [edition(5)]


def test_a_second_try_of_a_run_is_kept_once(tmp_path: Path, build: Path):
    warehouse = nights(tmp_path, build, 1, 2)
    later = Edition("run-2", edition(2).as_of, edition(2).published_at + timedelta(seconds=9))
    publication.publish(build, warehouse.published, warehouse.kept, later, keep=2)
    assert editions(warehouse.kept) == [later, edition(1)]


def test_readers_are_taken_back_and_forward_again(tmp_path: Path, build: Path):
    warehouse = nights(tmp_path, build, 1, 2, 3)
    with duckdb.connect(str(warehouse.published), read_only=True) as reader:
        assert rollback.roll_back(warehouse, None, command="test") == edition(2)
        assert reader.execute("from marts.numbers").fetchall() == [(3,)], "a reader keeps what it opened"
    assert seen(warehouse) == [(2,)]
    assert stat.S_IMODE(warehouse.published.stat().st_mode) == 0o640
    told = lock.last(warehouse.lock)
    assert told is not None and (told.outcome, told.message) == ("rolled back", "readers see run run-2")
    withdrawn = "select run_id from audit.runs where withdrawn_at is not null order by 1"
    assert read(build, withdrawn) == [("run-3",)]
    # Once more goes one further back, and a run by its name forward.
    assert rollback.roll_back(warehouse, None, command="test") == edition(1)
    assert (seen(warehouse), read(build, withdrawn)) == ([(1,)], [("run-2",), ("run-3",)])
    with pytest.raises(rollback.RollbackError, match="No earlier publication is kept"):
        rollback.roll_back(warehouse, None, command="test")
    assert rollback.roll_back(warehouse, "run-3", command="test") == edition(3)
    assert (seen(warehouse), read(build, withdrawn)) == ([(3,)], [])
    assert not list(tmp_path.rglob("*.publishing*"))


@pytest.mark.parametrize(("run", "message"), [("run-9", "no kept"), ("run-", "more than one kept")])
def test_a_run_that_is_not_kept_leaves_readers_alone(tmp_path: Path, build: Path, run: str, message: str):
    warehouse = nights(tmp_path, build, 1, 2)
    with pytest.raises(rollback.UnknownRunError, match=f"{message} publication of run {run}; kept are run-2"):
        rollback.roll_back(warehouse, run, command="test")
    assert seen(warehouse) == [(2,)]


def test_a_kept_file_that_is_broken_or_gone_leaves_readers_alone(tmp_path: Path, build: Path):
    warehouse = nights(tmp_path, build, 1, 2)
    (warehouse.kept / edition(1).file_name).write_bytes(b"no database")
    with pytest.raises(rollback.RollbackError, match="cannot be read"):
        rollback.roll_back(warehouse, None, command="test")
    assert seen(warehouse) == [(2,)]
    assert not list(tmp_path.rglob("*.publishing*"))
    with pytest.raises(PublicationError, match="is not kept"):
        put_back(warehouse.published, warehouse.kept, edition(7))


def test_readers_of_a_damaged_file_are_taken_to_the_last_whole_one(tmp_path: Path, build: Path):
    warehouse = nights(tmp_path, build, 1, 2, 3)
    # the kept file of the third night is the same file under a second name
    warehouse.published.write_bytes(b"\0" * 20_000)
    assert rollback.roll_back(warehouse, None, command="test") == edition(2)
    assert seen(warehouse) == [(2,)]


def test_a_damaged_file_without_a_whole_one_is_said_to_be_the_last(tmp_path: Path, build: Path):
    warehouse = nights(tmp_path, build, 1)
    warehouse.published.write_bytes(b"\0" * 20_000)
    assert [kept.is_current for kept in rollback.kept(warehouse)] == [False]
    with pytest.raises(rollback.RollbackError, match="No earlier publication is kept to go back to"):
        rollback.roll_back(warehouse, None, command="test")


def test_a_warehouse_that_is_busy_is_not_rolled_back(tmp_path: Path, build: Path):
    warehouse = nights(tmp_path, build, 1, 2)
    script = (
        "import sys, pathlib; from warehouse import lock;"
        f"held = lock.hold(pathlib.Path({str(warehouse.lock)!r}), run_id='n', command='c', as_of='d');"
        "held.__enter__(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT
    ) as night:
        assert night.stdout is not None and night.stdout.readline() == b"held\n"
        with pytest.raises(lock.WarehouseBusyError, match="run n"):
            rollback.roll_back(warehouse, None, command="test")
        night.communicate()
    assert seen(warehouse) == [(2,)]


def test_a_file_system_without_links_gets_copies(
    tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    warehouse = nights(tmp_path, build, 1, 2)
    kept = warehouse.kept / edition(2).file_name
    assert not kept.samefile(warehouse.published)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640
    assert rollback.roll_back(warehouse, None, command="test") == edition(1)
    assert seen(warehouse) == [(1,)]
    assert not list(tmp_path.rglob("*.publishing*"))


def test_other_files_among_the_kept_are_left_alone(tmp_path: Path, build: Path):
    warehouse = nights(tmp_path, build, 1)
    notes = [warehouse.kept / name for name in ("notes.txt", "mine.duckdb", "20240101T000000Z_x_y.duckdb")]
    for path in notes:
        path.touch()
    publish(build, warehouse.published, 2, keep=1)
    assert all(path.exists() for path in notes)
    assert editions(warehouse.kept) == [edition(2)]
