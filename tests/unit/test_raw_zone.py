"""The raw zone: real files of every format, what is wrong with them, and the views over them."""

import gzip
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from warehouse import raw_files, raw_zone
from warehouse.contract import RawContract, read_contract
from warehouse.ledger import read_ledger
from warehouse.raw_files import RawZoneError
from warehouse.raw_zone import (
    RawZone,
    TableFiles,
    inspect,
    open_views,
    require_what_was_known,
    require_whole,
)

PROJECT = Path(__file__).resolve().parents[2]
LOADED = datetime(2024, 1, 2, 3, tzinfo=UTC)
NOBODY = 65534
# as many as somebody has disk and time for: SMALL_FILES=1000000 takes some minutes
SMALL_FILES = int(os.environ.get("SMALL_FILES", "6000"))


@pytest.fixture(scope="module")
def contract() -> RawContract:
    return read_contract(PROJECT)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_parquet(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def found(zone: RawZone, table: str) -> TableFiles:
    return next(files for files in zone.tables if files.table.name == table)


def rows(zone: RawZone, columns: str, table: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        open_views(connection, zone, "key")
        return connection.execute(f"select {columns} from raw.{table} order by all").fetchall()


def visits(**columns: Any) -> dict[str, Any]:
    """Columns of one valid row of store_visits, changed or added to."""
    return {"visit_id": ["v1"], "entered_at": [LOADED], "loaded_at": [LOADED], **columns}


def test_csv_with_bom_quoted_line_breaks_and_gzip(tmp_path: Path, contract: RawContract) -> None:
    write(
        tmp_path / "campaigns" / "a.csv",
        b'\xef\xbb\xbfcampaign_id,name,loaded_at\r\n1,"Spring, ""big""\nand bold",2024-01-01\r\n',
    )
    write(
        tmp_path / "campaigns" / "2024" / "b.csv.gz",
        gzip.compress(b"loaded_at,campaign_id\n2024-01-02T00:00:00-05:00,007\n"),
    )
    zone = inspect(tmp_path, contract)
    assert rows(zone, "campaign_id, name, channel, loaded_at, source_file", "campaigns") == [
        ("007", None, None, "2024-01-02T00:00:00-05:00", "campaigns/2024/b.csv.gz"),
        ("1", 'Spring, "big"\nand bold', None, "2024-01-01", "campaigns/a.csv"),
    ]
    campaigns = found(zone, "campaigns")
    assert (campaigns.rows, campaigns.last_loaded_at) == (2, datetime(2024, 1, 2, 5))
    assert campaigns.formats == ("csv",)
    assert "channel" in campaigns.missing_columns and "name" not in campaigns.missing_columns


def test_json_lines_keep_nested_values_as_text(tmp_path: Path, contract: RawContract) -> None:
    write(
        tmp_path / "campaigns" / "a.jsonl",
        '{"campaign_id": 1, "name": {"en": ["a", 1]}, "loaded_at": "2024-01-01"}\n\n'
        '{"campaign_id": "2", "loaded_at": "2024-01-02", "colour": true}\n',
    )
    write(tmp_path / "campaigns" / "b.ndjson", "")
    write(tmp_path / "campaigns" / "c.json", '[{"campaign_id": 3,\n "Name": "x", "loaded_at": "2024-01-03"}]')
    zone = inspect(tmp_path, contract)
    assert rows(zone, "campaign_id, name", "campaigns") == [("1", '{"en":["a",1]}'), ("2", None), ("3", "x")]
    assert found(zone, "campaigns").extra_columns == ("colour",)
    assert found(zone, "campaigns").rows == 3


def test_parquet_keeps_its_types(tmp_path: Path, contract: RawContract) -> None:
    write_parquet(
        tmp_path / "orders" / "a.parquet",
        order_id=pa.array([1], pa.int32()),
        sales_channel=["online"],
        ordered_at=pa.array([LOADED], pa.timestamp("us", tz="UTC")),
        cancelled_at=pa.array([datetime(2024, 1, 3)], pa.timestamp("ns")),
        total_amount=pa.array([1], pa.decimal128(12, 2)),
        is_test=[False],
        email=pa.array([b"a@example.com"], pa.binary()),
        coupon_code=[["a", "b"]],
        loaded_at=pa.array([LOADED], pa.timestamp("us", tz="UTC")),
    )
    orders = found(inspect(tmp_path, contract), "orders")
    types = {name: orders.columns[name] for name in contract["orders"].required}
    assert types == {
        "order_id": "INTEGER",
        "sales_channel": "VARCHAR",
        "ordered_at": "TIMESTAMP WITH TIME ZONE",
        "total_amount": "DECIMAL(12,2)",
        "loaded_at": "TIMESTAMP WITH TIME ZONE",
    }
    assert orders.columns["cancelled_at"] == "TIMESTAMP"
    assert orders.columns["email"] == orders.columns["coupon_code"] == "VARCHAR"
    assert orders.columns["discount_amount"] == "DECIMAL(18,4)"
    assert list(orders.columns) == [column.name for column in contract["orders"].columns]


def test_files_that_disagree_in_type(tmp_path: Path, contract: RawContract) -> None:
    """Widths of numbers are widened; anything else becomes text, and no value is lost."""
    folder = tmp_path / "store_visits"
    write_parquet(folder / "a.parquet", **visits(visit_id=pa.array([1], pa.int16()), store_id=["7"]))
    write_parquet(folder / "b.parquet", **visits(visit_id=pa.array([2], pa.int64()), store_id=[8]))
    write_parquet(
        folder / "c.parquet", **visits(visit_id=pa.array([3], pa.uint8()), entered_at=[date(2024, 1, 1)])
    )
    zone = inspect(tmp_path, contract)
    assert found(zone, "store_visits").columns["visit_id"] == "BIGINT"
    assert found(zone, "store_visits").columns["store_id"] == "VARCHAR"
    assert found(zone, "store_visits").columns["entered_at"] == "VARCHAR"
    assert rows(zone, "visit_id, store_id, entered_at", "store_visits") == [
        (1, "7", "2024-01-02 03:00:00+00"),
        (2, "8", "2024-01-02 03:00:00+00"),
        (3, None, "2024-01-01"),
    ]
    # Text is read as from a file alone: ids that a data frame turned into floating point are whole again.
    big = pa.array([9_007_199_254_740_993], pa.int64())
    write_parquet(folder / "d.parquet", **visits(visit_id=[4.0, 0.5, float("nan")], **_twice_more()))
    write_parquet(folder / "e.parquet", **visits(visit_id=big))
    zone = inspect(tmp_path, contract)
    assert found(zone, "store_visits").columns["visit_id"] == "VARCHAR"
    ids = [row for (row,) in rows(zone, "visit_id", "store_visits")]
    assert ids == ["0.5", "1", "2", "3", "4", "9007199254740993", None]


def _twice_more() -> dict[str, Any]:
    return {"entered_at": [LOADED] * 3, "loaded_at": [LOADED] * 3}


def test_numbers_of_two_types_are_read_alike_alone_and_together(
    tmp_path: Path, contract: RawContract
) -> None:
    """Where the contract wants a number, a single precision one is widened before it becomes text."""
    folder = tmp_path / "reviews"
    review = {"review_id": ["r"], "created_at": [LOADED], "loaded_at": [LOADED]}
    write_parquet(folder / "a.parquet", **review, rating=pa.array([0.1], pa.float32()))
    write_parquet(folder / "b.parquet", **review, rating=["0.1"])
    assert rows(inspect(tmp_path, contract), "rating", "reviews") == [("0.1",), ("0.10000000149011612",)]
    (folder / "b.parquet").unlink()
    alone = "cast(rating as double) = 0.10000000149011612"
    assert rows(inspect(tmp_path, contract), alone, "reviews") == [(True,)]


class Nights:
    """Looks at a raw zone, night after night, with the ledger in a build file."""

    def __init__(self, folder: Path, contract: RawContract) -> None:
        self.raw = folder / "raw"
        self._file = folder / "staging.duckdb"
        self._contract = contract
        self._number = self._published = 0

    def look(self, *, is_published: bool = True) -> TableFiles:
        """Look, open the views, and end the night; what was found of store_visits."""
        self._number += 1
        ledger = read_ledger(self._file) if self._published else None
        zone = inspect(self.raw, self._contract, {}, ledger, self._number, self._published)
        open_views(self._file, zone, "key", self._number, gathered=self._file.with_name("gathered"))
        if is_published:
            self._published = self._number
        return found(zone, "store_visits")

    def arrived(self) -> list[str]:
        """Keys in the files that the last night found new."""
        with duckdb.connect(str(self._file), read_only=True) as connection:
            query = "select visit_id from arrived.store_visits order by all"
            return [key for (key,) in connection.execute(query).fetchall()]

    def land(self, name: str, *keys: str) -> Path:
        """Write a file, whole."""
        rows_ = "".join(f"{key},2024-01-01,2024-01-02\n" for key in keys)
        return write(self.raw / "store_visits" / name, f"visit_id,entered_at,loaded_at\n{rows_}")


@pytest.fixture
def nights(tmp_path: Path, contract: RawContract) -> Nights:
    nights = Nights(tmp_path, contract)
    nights.land("a.csv", "v1")
    nights.look()
    return nights


def test_a_night_reads_files_that_have_arrived(nights: Nights) -> None:
    assert nights.arrived() == ["v1"]
    nights.land("b.csv", "v1", "v2")
    files = nights.look()
    assert (files.is_reread, files.rows, files.arrived_rows) == (False, 3, 2)
    assert nights.arrived() == ["v1", "v2"]
    files = nights.look()
    assert (files.rows, files.arrived_rows, files.last_loaded_at) == (3, 0, datetime(2024, 1, 2))
    assert nights.arrived() == []


def test_a_file_that_is_as_it_was_is_not_opened(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    header = raw_files._csv_header

    def spy(path: Path) -> list[str]:
        opened.append(path)
        return header(path)

    monkeypatch.setattr(raw_files, "_csv_header", spy)
    new = nights.land("b.csv", "v2")
    nights.look()
    assert opened == [new]


def test_a_changed_or_vanished_file_is_noticed_until_a_night_is_published(nights: Nights) -> None:
    path = nights.land("b.csv", "v2")
    nights.look()
    nights.land("b.csv", "v2", "v3")
    assert [nights.look(is_published=False).is_reread for _ in range(2)] == [True, True]
    assert nights.look().is_reread
    assert not nights.look().is_reread
    path.unlink()
    assert nights.look(is_published=False).is_reread
    # Back again, as it was: rows of it may be gone already.
    nights.land("b.csv", "v2", "v3")
    files = nights.look(is_published=False)
    assert (files.is_reread, files.rows, files.gone) == (True, 3, ())
    path.unlink()
    assert nights.look().is_reread
    assert not nights.look().is_reread
    assert nights.look().gone == ()
    # What only a killed night has read may be stored, too.
    path = nights.land("c.csv", "v4")
    assert not nights.look(is_published=False).is_reread
    path.unlink()
    assert nights.look().is_reread


def test_a_table_that_has_lost_most_of_its_rows_stops_the_night(
    tmp_path: Path, contract: RawContract
) -> None:
    nights = Nights(tmp_path, contract)
    nights.land("a.csv", *(f"a{number}" for number in range(60)))
    file = nights.land("b.csv", *(f"b{number}" for number in range(61)))
    nights.look()
    known = list(read_ledger(tmp_path / "staging.duckdb").values())

    def require(rows_tolerated: int = 20) -> None:
        zone = inspect(tmp_path / "raw", contract)
        require_what_was_known(zone, known, lambda _: 0.5, lambda _: rows_tolerated)

    require()
    file.unlink()
    with pytest.raises(RawZoneError, match="Raw table store_visits has lost 61 of the 121 rows") as caught:
        require()
    assert "run with --full-refresh" in str(caught.value)
    require(rows_tolerated=61)
    # half of the rows and no more, and rows that came in their place
    nights.land("b.csv", "b0")
    require()
    nights.land("c.csv", *(f"c{number}" for number in range(9)))
    require()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.symlink_to(path.parent / "gone.csv"), "a link that leads nowhere"),
        (lambda path: path.symlink_to(path.parent.parent / "elsewhere"), "a link to a folder, which is not"),
        (os.mkfifo, "neither a file nor a folder"),
    ],
)
def test_what_is_no_file_is_not_passed_over(
    tmp_path: Path, contract: RawContract, make: Callable[[Path], object], message: str
) -> None:
    raw = tmp_path / "raw"
    write_parquet(raw / "store_visits" / "good.parquet", **visits())
    (raw / "elsewhere").mkdir()
    make(raw / "store_visits" / "b.csv")
    with pytest.raises(RawZoneError, match=rf"^store_visits/b\.csv: .*raw table store_visits is {message}"):
        inspect(raw, contract)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be a user who may not read everything; root, who may, gives that up meanwhile."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(me)


@pytest.mark.parametrize("closed", ["store_visits", "store_visits/2024/01"])
def test_a_folder_that_may_not_be_looked_into_is_not_passed_over(contract: RawContract, closed: str) -> None:
    # the folders that pytest makes are closed to others
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        raw = Path(folder, "raw")
        write_parquet(raw / "store_visits" / "2023" / "a.parquet", **visits())
        write_parquet(raw / "store_visits" / "2024" / "01" / "b.parquet", **visits())
        # what is hidden is nobody's business
        write(raw / "store_visits" / ".snapshot" / "c.parquet", "").parent.chmod(0)
        (raw / closed).chmod(0)
        with (
            unprivileged(),
            pytest.raises(RawZoneError, match=f"^{closed}: this folder of raw table store_visits may not be"),
        ):
            inspect(raw, contract)
        (raw / closed).chmod(0o755)
        with unprivileged():
            assert found(inspect(raw, contract), "store_visits").rows == 2


@pytest.mark.parametrize("name", [b"caf\xe9.csv", b"caf\xe9/a.csv"])
def test_a_name_that_is_no_text_is_said(tmp_path: Path, contract: RawContract, name: bytes) -> None:
    """A name from a machine that writes Latin-1: no engine can be told to open it."""
    write_parquet(tmp_path / "store_visits" / "good.parquet", **visits())
    (tmp_path / os.fsdecode(b"w\xe9ather")).mkdir()
    assert inspect(tmp_path, contract).unknown_entries == ("w\ufffdather",)
    write(tmp_path / "store_visits" / os.fsdecode(name), "visit_id,entered_at,loaded_at\n")
    with pytest.raises(RawZoneError, match=r"^store_visits/caf\ufffd.* raw table store_visits is no UTF-8"):
        inspect(tmp_path, contract)


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/nowhere")])
def test_a_raw_table_that_is_no_folder_is_not_taken_for_an_absent_one(
    tmp_path: Path, contract: RawContract, make: Callable[[Path], object]
) -> None:
    write_parquet(tmp_path / "store_visits" / "good.parquet", **visits())
    make(tmp_path / "orders")
    with pytest.raises(RawZoneError, match=r"^orders: raw table orders must be a folder of files"):
        inspect(tmp_path, contract)


def test_a_link_to_a_file_and_a_folder_named_like_a_file_are_read(
    tmp_path: Path, contract: RawContract
) -> None:
    raw = tmp_path / "raw"
    write_parquet(tmp_path / "elsewhere.parquet", **visits())
    write_parquet(raw / "store_visits" / "day.parquet" / "part-0.parquet", **visits(visit_id=["v2"]))
    (raw / "store_visits" / "link.parquet").symlink_to(tmp_path / "elsewhere.parquet")
    assert rows(inspect(raw, contract), "visit_id", "store_visits") == [("v1",), ("v2",)]


def test_formats_mix_in_one_folder(tmp_path: Path, contract: RawContract) -> None:
    folder = tmp_path / "store_visits"
    write_parquet(folder / "a.parquet", **visits())
    write(folder / "b.csv", "Visit_ID,entered_at,loaded_at,\nv2,2024-01-02,2024-01-05 10:00:00,\n")
    write(folder / "c.jsonl", '{"visit_id": "v3", "entered_at": "2024-01-02", "loaded_at": "2024-01-04"}')
    zone = inspect(tmp_path, contract, {"store_visits": "America/New_York"})
    assert [row for (row,) in rows(zone, "visit_id", "store_visits")] == ["v1", "v2", "v3"]
    visits_found = found(zone, "store_visits")
    assert visits_found.formats == ("csv", "json", "parquet")
    # The latest load has no offset: it is read in the table's time zone.
    assert visits_found.last_loaded_at == datetime(2024, 1, 5, 15)


def test_extra_columns_hidden_and_foreign_files_are_reported_or_passed_over(
    tmp_path: Path, contract: RawContract
) -> None:
    folder = tmp_path / "store_visits"
    write_parquet(folder / "dt=2024-01-01" / "a.parquet", **visits(colour=["red"], __raw_zone=[1]))
    write(folder / "_SUCCESS", "")
    write(folder / ".a.parquet.123.tmp", "half")
    write(folder / "b.parquet.tmp", "half")
    write(folder / "_temporary" / "c.parquet", "half")
    write(folder / "notes.xlsx", "what is this")
    write(tmp_path / "weather" / "a.csv", "x\n1\n")
    write(tmp_path / "_dlt_loads" / "a.csv", "x\n1\n")
    zone = inspect(tmp_path, contract)
    assert found(zone, "store_visits").rows == 1
    assert found(zone, "store_visits").extra_columns == ("__raw_zone", "colour")
    assert found(zone, "store_visits").ignored_files == ("store_visits/notes.xlsx",)
    assert zone.unknown_entries == ("weather",)
    assert rows(zone, "source_file", "store_visits") == [("store_visits/dt=2024-01-01/a.parquet",)]


def test_paths_with_quotes_and_glob_letters(tmp_path: Path, contract: RawContract) -> None:
    raw = tmp_path / "it's [raw]*"
    write_parquet(raw / "store_visits" / "a?.parquet", **visits())
    write(raw / "store_visits" / "a[1].csv", "visit_id,entered_at,loaded_at\nv2,2024-01-02,2024-01-02\n")
    zone = inspect(raw, contract)
    assert rows(zone, "visit_id, source_file", "store_visits") == [
        ("v1", "store_visits/a?.parquet"),
        ("v2", "store_visits/a[1].csv"),
    ]


def test_absent_tables_are_empty_and_typed(tmp_path: Path, contract: RawContract) -> None:
    write_parquet(tmp_path / "store_visits" / "a.parquet", **visits())
    (tmp_path / "reviews").mkdir()
    zone = inspect(tmp_path, contract)
    database = tmp_path / "staging.duckdb"
    open_views(database, zone, "first")
    open_views(database, zone, "second")
    with duckdb.connect(str(database)) as connection:
        assert connection.execute("select hash_key from raw.hash_key").fetchall() == [("second",)]
        for table in contract.values():
            described = connection.execute(f"describe raw.{table.name}").fetchall()
            assert [name for name, *_ in described] == [*(c.name for c in table.columns), "source_file"]
        assert (
            dict(row[:2] for row in connection.execute("describe raw.reviews").fetchall())["rating"]
            == "DOUBLE"
        )
        assert connection.execute("select * from raw.reviews").fetchall() == []
    assert found(zone, "reviews").rows == 0 and found(zone, "reviews").missing_columns == ()


def test_a_raw_zone_must_be_there_and_hold_something(tmp_path: Path, contract: RawContract) -> None:
    with pytest.raises(RawZoneError, match="There is no raw zone"):
        inspect(tmp_path / "nowhere", contract)
    (tmp_path / "orders").mkdir()
    write(tmp_path / "weather" / "a.csv", "x\n")
    with pytest.raises(RawZoneError, match="holds no file of a known table"):
        inspect(tmp_path, contract)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "visit_id,loaded_at\nv1,2024-01-01\n", "required column entered_at .* is missing"),
        ("a.jsonl", '{"visit_id": 1, "loaded_at": "x"}', "required column entered_at .* is missing"),
        ("a.csv", "", "no header line"),
        ("a.csv", "visit_id,entered_at,loaded_at,store_id,store_id\n", "store_id stands twice"),
        ("a.csv", "visit_id,entered_at,loaded_at\nv1,x\nv2,y,z,w\n", "CSV Error on Line: 2"),
        ("a.csv", 'visit_id,entered_at,loaded_at\nv0,"x\nv1"\n', "Expected Number of Columns: 3 Found: 2"),
        ("a.csv", b"visit_id,entered_at,loaded_at\n\xff\xfe,x,y\n", "cannot be read"),
        ("a.csv.gz", "no gzip", "cannot be read"),
        ("a.jsonl", '{"visit_id": 1,\n', "cannot be read"),
        ("a.parquet", "no parquet", "cannot be read"),
        # half written, in every format
        ("a.csv", 'visit_id,entered_at,loaded_at\nv1,x,y\nv1,"z', "unterminated quote"),
        ("a.csv", "visit_id,entered_at,loaded_at\nv1,x,y\nv1,z", "Expected Number of Columns: 3 Found: 2"),
        # no time in its header: it would be in the test's name, and differ between the workers
        (
            "a.csv.gz",
            gzip.compress(b"visit_id,entered_at,loaded_at\nv1,x,y\n", mtime=0)[:-12],
            "end-of-stream",
        ),
        (
            "a.jsonl",
            '{"visit_id": 1, "entered_at": 2, "loaded_at": 3}\n{"visit_id": 2, "ent',
            "unexpected end",
        ),
        ("a.parquet", b"PAR1" + b"\0" * 400, "No magic bytes"),
        ("a.parquet", "", "too small"),
        # renamed, in another dialect, in another encoding, with a stray NUL
        ("a.csv", "id,entered_at,loaded_at\nv1,x,y\n", "required column visit_id .* is missing"),
        ("a.csv", "visit_id;entered_at;loaded_at\nv1;x;y\n", "required column visit_id .* is missing"),
        ("a.csv", "visit_id,entered_at,loaded_at\nv1,x,y\n".encode("utf-16"), "can't decode"),
        ("a.csv", "visit_id,entered_at,loaded_at\0\nv1,x,y\n", "required column loaded_at .* is missing"),
        ("a.csv", "visit_id,Visit_ID,entered_at,loaded_at\nv1,v1,x,y\n", "Visit_ID"),
        ("a.jsonl", '{"visit_id": "v1\0"}', "unexpected control character"),
        ("a.json", "[1, 2]", "no objects with columns"),
        ("a.jsonl", '"v1"', "no objects with columns"),
        # one column, two values
        (
            "a.jsonl",
            '{"visit_id": "v1", "entered_at": 1, "loaded_at": 2, "visit_id": "v1"}',
            "visit_id stands twice",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, contract: RawContract, name: str, content: str | bytes, message: str
) -> None:
    write_parquet(tmp_path / "store_visits" / "good.parquet", **visits())
    write(tmp_path / "store_visits" / name, content)
    with pytest.raises(RawZoneError, match=message) as caught:
        inspect(tmp_path, contract)
    told = str(caught.value)
    assert "\n" not in told
    assert f"store_visits/{name}" in told and "raw table store_visits" in told
    assert str(tmp_path) not in told, "where a machine keeps its data is nobody's business"
    assert "v1" not in told, "rows hold personal data and have no place in a message"


def damage_a_page(path: Path) -> None:
    """Break the last column, whose values the others do not need."""
    group = pq.read_metadata(path).row_group(0)
    column = group.column(group.num_columns - 1)
    begin = column.dictionary_page_offset or column.data_page_offset
    content = bytearray(path.read_bytes())
    content[begin : begin + 20] = b"\xff" * 20
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("store_id", "harm", "message"),
    [
        (pa.array([b"v1\xff"], pa.binary()), None, "Invalid string encoding"),
        (["s"], damage_a_page, "know what type: "),
    ],
)
def test_a_file_that_cannot_be_read_whole_is_found(
    tmp_path: Path, contract: RawContract, store_id: Any, harm: Callable[[Path], None] | None, message: str
) -> None:
    """What is read of it first is sound: the night has begun when it shows."""
    folder = tmp_path / "store_visits"
    write_parquet(folder / "good.parquet", **visits(store_id=["s"]))
    path = write_parquet(folder / "bad.parquet", **visits(store_id=store_id))
    if harm:
        harm(path)
    zone = inspect(tmp_path, contract)
    with pytest.raises(RawZoneError, match=message) as caught:
        require_whole(zone)
    told = str(caught.value)
    assert told.startswith(
        "store_visits/bad.parquet: column store_id of this file of raw table store_visits cannot be read ("
    )
    assert "v1" not in told and "\n" not in told and str(tmp_path) not in told
    path.unlink()
    require_whole(zone)
    require_whole(inspect(tmp_path, contract))


@pytest.mark.parametrize("missing", [1, 8, 2_000])
@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("a.csv.gz", "v{},2024-01-01,2024-01-02\n"),
        ("a.jsonl.gz", '{{"visit_id":{},"entered_at":1,"loaded_at":2}}\n'),
    ],
)
def test_a_compressed_file_that_breaks_off_is_not_taken_for_a_shorter_one(
    tmp_path: Path, contract: RawContract, name: str, row: str, missing: int
) -> None:
    """Also where it breaks off after a row, or when only its checksum is missing or wrong."""
    header = "visit_id,entered_at,loaded_at\n" if name.startswith("a.csv") else ""
    whole = gzip.compress((header + "".join(map(row.format, range(2_000)))).encode())
    path = write(tmp_path / "store_visits" / name, whole)
    assert found(inspect(tmp_path, contract), "store_visits").rows == 2_000
    path.write_bytes(whole[:-missing])
    with pytest.raises(RawZoneError, match=rf"store_visits/{name}: .*end-of-stream"):
        inspect(tmp_path, contract)
    path.write_bytes(whole[:-8] + b"\0" * 8)
    with pytest.raises(RawZoneError, match=rf"store_visits/{name}: .*CRC check failed"):
        inspect(tmp_path, contract)


def test_ten_megabytes_of_text_in_a_cell(tmp_path: Path, contract: RawContract) -> None:
    """In every format, beside a row of ordinary size; quotes that CSV doubles included."""
    text = 'a "quoted" line\n' * 650_000
    folder = tmp_path / "store_visits"
    quoted = text.replace('"', '""')
    header = "visit_id,store_id,entered_at,loaded_at\n"
    write(folder / "a.csv", f'{header}v1,"{quoted}",2024-01-01,2024-01-02\nv2,s,2024-01-01,2024-01-02\n')
    row = {"visit_id": "v3", "store_id": text, "entered_at": "2024-01-01", "loaded_at": "2024-01-02"}
    write(folder / "b.jsonl", json.dumps(row))
    write_parquet(
        folder / "c.parquet", **{name: [value] for name, value in {**row, "visit_id": "v4"}.items()}
    )
    zone = inspect(tmp_path, contract)
    assert rows(zone, "visit_id, length(store_id)", "store_visits") == [
        ("v1", len(text)),
        ("v2", 1),
        ("v3", len(text)),
        ("v4", len(text)),
    ]


def test_nul_bytes_in_values_are_kept(tmp_path: Path, contract: RawContract) -> None:
    folder = tmp_path / "store_visits"
    write(folder / "a.csv", "visit_id,store_id,entered_at,loaded_at\nv\0001,s\0t,2024-01-01,2024-01-02\n")
    write(
        folder / "b.jsonl",
        '{"visit_id": "v2", "store_id": "s\\u0000t", "entered_at": "2024-01-01", "loaded_at": "2024-01-02"}',
    )
    write_parquet(folder / "c.parquet", **visits(visit_id=["v3"], store_id=["s\0t"]))
    assert rows(inspect(tmp_path, contract), "visit_id, store_id", "store_visits") == [
        ("v\0001", "s\0t"),
        ("v2", "s\0t"),
        ("v3", "s\0t"),
    ]


def test_files_without_rows_and_a_file_twice(tmp_path: Path, contract: RawContract) -> None:
    folder = tmp_path / "store_visits"
    header = "visit_id,entered_at,loaded_at\n"
    write(folder / "header.csv", header)
    write(folder / "empty.jsonl", "")
    nothing = pa.array([], pa.string())
    write_parquet(folder / "none.parquet", visit_id=nothing, entered_at=nothing, loaded_at=nothing)
    for name in ("one.csv", "copy of one.csv"):
        write(folder / name, f"{header}v1,2024-01-01,2024-01-02\n")
    zone = inspect(tmp_path, contract)
    assert found(zone, "store_visits").rows == 2
    assert rows(zone, "visit_id, source_file", "store_visits") == [
        ("v1", "store_visits/copy of one.csv"),
        ("v1", "store_visits/one.csv"),
    ]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        *((type_, 7) for type_ in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")),
        ("uint64", 18_446_744_073_709_551_615),
    ],
)
def test_whole_numbers_of_any_width(tmp_path: Path, contract: RawContract, type_: str, value: int) -> None:
    write_parquet(tmp_path / "store_visits" / "a.parquet", **visits(visit_id=pa.array([value], type_)))
    zone = inspect(tmp_path, contract)
    assert rows(zone, "cast(visit_id as varchar)", "store_visits") == [(str(value),)]


@pytest.mark.timeout(300 + SMALL_FILES // 500)
def test_very_many_small_files(tmp_path: Path, contract: RawContract) -> None:
    """All are read in the first night, and none of them again in the second."""
    nights = Nights(tmp_path, contract)
    for number in range(SMALL_FILES):
        name = f"{number // 500}/{number}"
        if number % 2:
            nights.land(f"{name}.csv", f"v{number}")
        else:
            row = {"visit_id": f"v{number}", "entered_at": "2024-01-01", "loaded_at": "2024-01-02"}
            write(nights.raw / "store_visits" / f"{name}.jsonl", json.dumps(row))
    files = nights.look()
    assert (files.rows, files.arrived_rows) == (SMALL_FILES, SMALL_FILES)
    assert len(set(nights.arrived())) == SMALL_FILES
    assert len(list((tmp_path / "gathered" / "raw" / "store_visits").iterdir())) == -(-SMALL_FILES // 5_000)
    nights.land("new.csv", "new")
    files = nights.look()
    assert (files.rows, files.arrived_rows) == (SMALL_FILES + 1, 1)
    assert nights.arrived() == ["new"]
    assert not (tmp_path / "gathered").exists()


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One statement reads three files, so that a handful is very many."""
    for module in (raw_files, raw_zone):
        monkeypatch.setattr(module, "FILES_AT_ONCE", 3)


def mixed_files(folder: Path) -> None:
    """Files of all formats and several types that a view must bring together."""
    for number, type_ in enumerate((pa.int8(), pa.int64(), pa.float32(), pa.string(), pa.decimal128(9, 2))):
        value = pa.array(["7"]).cast(type_)
        review = {"review_id": [f"p{number}"], "created_at": [LOADED], "loaded_at": [LOADED]}
        write_parquet(folder / f"{number}.parquet", **review, rating=value, is_deleted=[number == 1])
    for number in range(4):
        write(
            folder / f"c[{number}].csv", f"review_id,Rating,loaded_at,created_at\nc{number},1,2024-01-02,x\n"
        )
        row = {"review_id": f"j\0{number}", "rating": {"of": number}, "created_at": "?", "loaded_at": "?"}
        write(folder / f"{number}.jsonl", json.dumps(row if number else row | {"handle": "h'"}))


@pytest.mark.usefixtures("few_at_once")
def test_rows_gathered_from_many_files_are_those_of_the_files(tmp_path: Path, contract: RawContract) -> None:
    """As they arrive, when all are read again, and with their types."""
    raw, folder = tmp_path / "raw", tmp_path / "gathered"
    mixed_files(raw / "reviews")
    first = inspect(raw, contract)
    ledger = {(entry.table_name, entry.path): entry for entry in found(first, "reviews").ledger}
    for number in range(4):
        write(raw / "reviews" / f"new-{number}.csv", "review_id,rating,loaded_at,created_at\nn,1,2,3\n")
    second = inspect(raw, contract, {}, ledger, 2, 1)
    assert found(second, "reviews").arrived_rows == 4

    def view(zone: RawZone, schema: str, gathered: Path | None, *read_whole: str) -> tuple[object, object]:
        with duckdb.connect() as connection:
            open_views(connection, zone, "key", gathered=gathered, read_whole=read_whole)
            types = connection.execute(f"describe {schema}.reviews").fetchall()
            return types, connection.execute(f"from {schema}.reviews order by all").fetchall()

    for zone, read_whole, schema, written in (
        (first, (), "raw", {"raw"}),
        (first, (), "arrived", {"raw"}),
        (second, (), "arrived", {"arrived"}),
        (second, ("reviews",), "raw", {"raw", "arrived"}),
        (second, ("reviews",), "arrived", {"raw", "arrived"}),
    ):
        assert view(zone, schema, folder, *read_whole) == view(zone, schema, None)
        assert {path.name for path in folder.iterdir()} == written
    with pytest.raises(duckdb.Error, match=r"reviews has 17 files, .*: run the night with --full-refresh"):
        view(second, "raw", folder)


@pytest.mark.usefixtures("few_at_once")
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("6.csv", "visit_id,visit_id\n", "column visit_id stands twice in its header"),
        (
            "6.csv",
            "visit_id,entered_at,loaded_at\nv,2024-01-01,2024-01-02,more\n",
            "Expected Number of Columns",
        ),
        ("6.jsonl", "{broken", "Malformed JSON"),
        ("6.parquet", "no parquet", "6.parquet"),
        ("6.csv", "visit_id,loaded_at\n", "required column entered_at of raw table store_visits is missing"),
    ],
)
def test_one_broken_file_among_many_is_named(
    tmp_path: Path, contract: RawContract, name: str, content: str, message: str
) -> None:
    nights = Nights(tmp_path, contract)
    for number in range(11):
        nights.land(f"{number:02}.csv", f"v{number}")
        row = {"visit_id": f"w{number}", "entered_at": "2024-01-01", "loaded_at": "2024-01-02"}
        write(nights.raw / "store_visits" / f"{number:02}.jsonl", json.dumps(row))
        write_parquet(nights.raw / "store_visits" / f"{number:02}.parquet", **visits())
    write(nights.raw / "store_visits" / name, content)
    with pytest.raises(RawZoneError, match=rf"^store_visits/{name}: ") as refused:
        nights.look()
    assert message in str(refused.value)


def test_a_missing_required_column_is_found_in_any_file(tmp_path: Path, contract: RawContract) -> None:
    write_parquet(tmp_path / "store_visits" / "a.parquet", **visits())
    write_parquet(tmp_path / "store_visits" / "b.parquet", visit_id=["v2"], loaded_at=[LOADED])
    with pytest.raises(RawZoneError, match=r"store_visits/b\.parquet: required column entered_at"):
        inspect(tmp_path, contract)


def test_a_time_zone_for_no_table_is_a_slip(tmp_path: Path, contract: RawContract) -> None:
    (tmp_path / "orders").mkdir()
    with pytest.raises(RawZoneError, match=r"given for order, which is no raw table: name orders"):
        inspect(tmp_path, contract, {"order": "UTC"})


def test_views_are_written_whole_or_not_at_all(tmp_path: Path, contract: RawContract) -> None:
    raw = tmp_path / "raw"
    file = write_parquet(raw / "store_visits" / "a.parquet", **visits())
    zone = inspect(raw, contract)
    file.unlink()
    with duckdb.connect() as connection:
        with pytest.raises(duckdb.Error):
            open_views(connection, zone, "key")
        assert connection.execute("from duckdb_views() where schema_name = 'raw'").fetchall() == []
