"""The cache believes only what its owner wrote, with the key that was asked for."""

import os
from pathlib import Path

import pytest

from portward import cache


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "portward"
    monkeypatch.setattr(cache, "directory", lambda: folder)
    return folder


def test_what_was_kept_is_found_by_its_key(place: Path) -> None:
    cache.save("numbers", "one", [1, 2, 3])
    assert cache.load("numbers", "one", list[int]) == [1, 2, 3]
    assert cache.load("numbers", "two", list[int]) is None
    assert cache.load("letters", "one", list[int]) is None
    assert place.stat().st_mode & 0o777 == 0o700
    assert (place / "numbers").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in place.iterdir()] == ["numbers"]


def test_damage_and_other_types_are_not_believed(place: Path) -> None:
    cache.save("numbers", "one", [1, 2, 3])
    assert cache.load("numbers", "one", list[str]) is None
    (place / "numbers").write_bytes(b"one\n\xc1")
    assert cache.load("numbers", "one", list[int]) is None


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_believed(place: Path, mode: int) -> None:
    cache.save("numbers", "one", [1, 2, 3])
    (place / "numbers").chmod(mode)
    assert cache.load("numbers", "one", list[int]) is None


@pytest.mark.root
def test_a_file_of_another_user_is_not_believed(place: Path) -> None:
    cache.save("numbers", "one", [1, 2, 3])
    os.chown(place / "numbers", 65534, 65534)
    assert cache.load("numbers", "one", list[int]) is None


def test_links_and_fifos_are_not_followed(place: Path, tmp_path: Path) -> None:
    cache.save("numbers", "one", [1, 2, 3])
    (place / "numbers").rename(tmp_path / "elsewhere")
    (place / "numbers").symlink_to(tmp_path / "elsewhere")
    assert cache.load("numbers", "one", list[int]) is None
    os.mkfifo(place / "letters")
    assert cache.load("letters", "one", list[int]) is None


def test_no_place_to_keep_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setattr(cache, "directory", lambda: blocked / "below")
    cache.save("numbers", "one", [1])
    assert cache.load("numbers", "one", list[int]) is None
