"""Copies are files of their own, whether or not the file system shares their content."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from warehouse import files


def test_a_copy_does_not_follow_what_is_copied(tmp_path: Path):
    source, target = tmp_path / "source", tmp_path / "target"
    content = bytes(range(256)) * 5_000
    source.write_bytes(content)
    target.write_bytes(b"something longer that stood here before" * 50_000)
    files.copy(source, target)
    assert target.read_bytes() == content
    with source.open("r+b") as changed:
        changed.write(b"changed")
    assert target.read_bytes() == content


def test_an_empty_file_is_copied(tmp_path: Path):
    (tmp_path / "source").touch()
    files.copy(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b""


@pytest.mark.parametrize("refusal", [errno.EOPNOTSUPP, errno.EXDEV, errno.ENOTTY])
def test_where_nothing_can_be_shared_bytes_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
):
    def refuse(*_: object) -> None:
        raise OSError(refusal, "refused")

    monkeypatch.setattr(files.fcntl, "ioctl", refuse)
    (tmp_path / "source").write_bytes(b"content")
    files.copy(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"content"


@pytest.mark.parametrize("failure", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_what_is_wrong_with_the_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: int):
    def fail(*_: object) -> None:
        raise OSError(failure, "broken")

    monkeypatch.setattr(files.fcntl, "ioctl", fail)
    (tmp_path / "source").write_bytes(b"content")
    with pytest.raises(OSError, match="broken"):
        files.copy(tmp_path / "source", tmp_path / "target")


def test_what_is_not_there_cannot_be_copied(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        files.copy(tmp_path / "source", tmp_path / "target")
    assert not (tmp_path / "target").exists()
