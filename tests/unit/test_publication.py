import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from warehouse import publication
from warehouse.publication import PublicationError, publish, remove_leftovers


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build file as a night leaves it."""
    path = tmp_path / "build" / "engagement.duckdb"
    path.parent.mkdir()
    write(path, "create schema marts; create table marts.numbers as select 1 as number")
    write(path, "create schema audit; create table audit.runs as select 'first' as run_id")
    return path


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
    assert stat.S_IMODE(published.stat().st_mode) == 0o640
    assert (done.path, done.size_bytes) == (published, published.stat().st_size)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "engagement.duckdb"]


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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "engagement.duckdb"]


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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "engagement.duckdb"]


def test_a_truncated_copy_is_never_put_in_place(tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch):
    published = tmp_path / "engagement.duckdb"
    publish(build, published)
    before = published.read_bytes()

    def copy_half(source: Path, target: Path) -> None:
        content = source.read_bytes()
        target.write_bytes(content[: len(content) // 2])

    monkeypatch.setattr(publication.shutil, "copyfile", copy_half)
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

    monkeypatch.setattr(publication.shutil, "copyfile", fail)
    with pytest.raises(OSError, match="No space"):
        publish(build, published)
    assert published.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "engagement.duckdb"]


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
    assert sorted(remove_leftovers(published)) == sorted(leftovers)
    assert sorted(tmp_path.iterdir()) == sorted(others)
