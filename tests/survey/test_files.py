import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.survey.files import canonical, exists, names, read_bytes, read_text, resolve


def test_absolute_link_stays_inside_the_image(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "lib").symlink_to("/usr/lib")
    (tmp_path / "usr/lib/os-release").write_text("ID=debian\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").symlink_to("../../../lib/os-release")
    assert resolve(tmp_path, "/etc/os-release") == tmp_path / "usr/lib/os-release"
    assert read_text(tmp_path, "etc/os-release") == "ID=debian\n"


def test_link_out_of_the_image_finds_nothing(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("secret")
    image = tmp_path / "image"
    image.mkdir()
    (image / "absolute").symlink_to(outside)
    (image / "relative").symlink_to("../outside")
    for name in ("absolute", "relative", "../outside"):
        with pytest.raises(FileNotFoundError):
            read_bytes(image, name)
        assert not exists(image, name)


def test_endless_link_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels") as caught:
        read_bytes(tmp_path, "a")
    assert caught.value.errno == errno.ELOOP


def test_neither_fifo_nor_device_nor_directory_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for root, path in ((tmp_path, "fifo"), (Path("/"), "dev/zero"), (tmp_path, ".")):
        with pytest.raises(OSError, match=r"Not a regular file|directory"):
            read_bytes(root, path)


def test_too_large_is_refused_and_exactly_large_enough_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    assert len(read_bytes(tmp_path, "file", 100)) == 100
    with pytest.raises(OSError, match="large") as caught:
        read_bytes(tmp_path, "file", 99)
    assert caught.value.errno == errno.EFBIG


def test_bytes_that_are_no_text_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\xffb")
    assert read_text(tmp_path, "file") == r"a\xffb"


def test_names_are_sorted_and_a_missing_directory_is_empty(tmp_path: Path) -> None:
    for name in (b"b", b"a", b"C", b"\xff"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    assert names(tmp_path, "/") == ["C", "a", "b"]
    assert names(tmp_path, "missing") == []
    assert names(tmp_path, "a") == []


@given(st.lists(st.sampled_from(["a", "..", ".", "", "b"]), max_size=12))
def test_no_path_leaves_the_image(parts: list[str]) -> None:
    root = Path("/nowhere/image")
    assert resolve(root, "/".join(parts)).is_relative_to(root)
    assert ".." not in canonical(root, "/".join(parts)).split("/")


@pytest.mark.parametrize("path", ["/usr/bin/python3", "/etc/os-release", "/proc/self/exe"])
def test_this_machine_resolves_as_the_kernel_does(path: str) -> None:
    assert resolve(Path("/"), path) == Path(path).resolve()
