import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.apply import disk
from portward.model.errors import ApplyError


def facts(path: Path) -> object:
    found = path.lstat()
    what = path.readlink() if path.is_symlink() else path.is_file() and path.read_bytes()
    return what, found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns


def tree(top: Path) -> dict[str, object]:
    return {str(path): facts(path) for path in [top, *top.rglob("*")]}


def test_a_file_comes_back_with_its_mode_and_times(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_bytes(b"\x00old\xff")
    file.chmod(0o640)
    os.utime(file, ns=(1, 2))
    before, saved = facts(file), disk.save(file)
    disk.write(file, b"new", mode=0o600)
    assert facts(file) != before
    disk.restore(saved)
    assert facts(file) == before


def test_what_was_not_there_is_not_there_again(tmp_path: Path) -> None:
    saved = disk.save(tmp_path / "new")
    disk.write(tmp_path / "new", b"text", mode=0o600)
    disk.restore(saved)
    assert list(tmp_path.iterdir()) == []
    disk.restore(saved)  # twice is as good


def test_a_link_that_became_a_file_is_a_link_again(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    link.symlink_to("zone")
    saved = disk.save(link)
    disk.write(link, b"text", mode=0o644)
    disk.restore(saved)
    assert link.readlink() == Path("zone")


def test_a_file_that_cannot_be_written_stays_and_leaves_no_draft(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.mkdir()
    (folder / "inside").touch()
    with pytest.raises(OSError, match="directory"):
        disk.write(folder, b"text", mode=0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ApplyError, match="no regular file"):
        disk.save(tmp_path / "pipe")


_NAMES = st.sampled_from(("a", "b", "c/d", "c/e", "f/g/h"))


@given(
    st.dictionaries(_NAMES, st.binary(max_size=20), max_size=5),
    st.dictionaries(_NAMES, st.one_of(st.none(), st.binary(max_size=20)), max_size=5),
)
def test_a_tree_comes_back_whatever_was_done_to_it(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[str, bytes],
    after: dict[str, bytes | None],
) -> None:
    top = tmp_path_factory.mktemp("tree") / "etc"
    top.mkdir()
    for name, data in before.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    old, saved = tree(top), disk.save_tree(top)
    for name, changed in after.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        if changed is None:
            (top / name).unlink(missing_ok=True)
        else:
            (top / name).write_bytes(changed)
    disk.restore_tree(saved)
    assert tree(top) == old
