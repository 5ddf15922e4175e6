"""The register of erasures: what it keeps, and when it refuses."""

from datetime import datetime
from pathlib import Path

import pytest

from orchestration.erasing import NobodyError, read_identifier
from warehouse import erasures
from warehouse.erasures import Erasure, ErasureError, Register

KEY = "the key of the tests"
NOW = datetime(2024, 2, 1, 12, 30)


def erasure(name: str, *stones: str) -> Erasure:
    return Erasure(
        erasure_id=name,
        request_ids=("q1",),
        requested_at=None,
        recorded_at=NOW,
        identifiers=2,
        tombstones=stones,
        raw_tables=("orders",),
        row_counts={"marts.dim_customers": 1},
    )


def test_a_register_comes_back_as_it_was_written_and_is_its_owners_alone(tmp_path: Path):
    register = Register((erasure("one", "b", "a"), erasure("two", "b")))
    file = tmp_path / "erasures.json"
    erasures.write(file, register, KEY)
    assert erasures.read(file, KEY) == register
    assert register.tombstones == ("a", "b")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["erasures.json"]


def test_nobody_was_erased_where_there_is_no_register(tmp_path: Path):
    assert erasures.read(tmp_path / "erasures.json", KEY) == Register()


def test_a_night_carries_out_what_is_pending_and_nothing_twice():
    first = Register((erasure("one", "a"),)).carried_out("run-1", NOW)
    both = first.with_erasures([erasure("two", "b")])
    assert [found.erasure_id for found in both.pending] == ["two"]
    assert both.pending_tables == ("orders",)
    done = both.carried_out("run-2", NOW)
    assert [found.run_id for found in done.erasures] == ["run-1", "run-2"]
    assert (done.pending, done.pending_tables) == ((), ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ('{"erasures": []}', "cannot be read"),
        ('{"erasures": [{"erasure_id": "x"}], "key_check": ""}', "cannot be read"),
        ('{"erasures": [], "key_check": "0"}', "another hash key"),
    ],
)
def test_a_register_that_would_let_persons_come_back_is_refused(tmp_path: Path, content: str, message: str):
    file = tmp_path / "erasures.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ErasureError, match=message):
        erasures.read(file, KEY)


def test_a_tombstone_depends_on_key_and_identifier():
    # sha-256 of key, 'erased:' and the identifier's key, by `printf ... | sha256sum`
    assert erasures.tombstone("k", "email:a@b.c") == (
        "777d6bd1de54d1b8e55c52eac223927566019afcd8000389028e00a97fa6017e"
    )
    stones = erasures.tombstones(KEY, ["email:a@b.c"], ["0123"])
    assert stones == tuple(
        sorted(erasures.tombstone(KEY, key) for key in ("email:a@b.c", "customer_id:0123"))
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("email= Ada@Example.org ", "email:ada@example.org"),
        ("phone=+49 (170) 555-0001", "phone:491705550001"),
        ("phone=0049 170 5550001", "phone:491705550001"),
        ("handle=Instagram/@Ada", "handle:instagram/ada"),
        ("customer_ref=C=7", "customer_ref:C=7"),
    ],
)
def test_an_identifier_is_spelled_as_staging_spells_it(text: str, key: str):
    assert read_identifier(text) == key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ada@example.org", "KIND=VALUE"),
        ("mail=ada@example.org", "KIND is one of customer_ref"),
        ("email= ", "has no value"),
        ("phone=none", "has no value"),
        ("handle=ada", "NETWORK/NAME"),
    ],
)
def test_what_is_no_identifier_is_said_in_a_sentence_that_does_not_repeat_it(text: str, message: str):
    with pytest.raises(NobodyError, match=message) as caught:
        read_identifier(text)
    assert "ada" not in str(caught.value)
