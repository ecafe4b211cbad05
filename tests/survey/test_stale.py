import ctypes.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.host import StaleProcess
from portward.model.unknown import Unknown
from portward.survey.stale import parse_maps, stale

MAP = """\
import ctypes, sys, time
ctypes.CDLL(sys.argv[1])
print("mapped", flush=True)
time.sleep(60)
"""


@pytest.fixture
def library() -> Iterator[Path]:
    """Copy a small library to where packages keep theirs."""
    folder = Path("/usr/lib/portward-test-stale")
    folder.mkdir()
    source = Path("/lib") / f"{ctypes.util.find_library('z') or 'libz.so.1'}"
    source = next(Path("/usr/lib").glob(f"*/{source.name}"))
    try:
        yield Path(shutil.copy(source.resolve(), folder / "libdemo.so"))
    finally:
        shutil.rmtree(folder)


def running(library: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", MAP, str(library)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "mapped\n"
    return process


def found(pid: int) -> StaleProcess | None:
    processes = stale()
    if isinstance(processes, Unknown):  # nothing was found, and not everything could be seen
        return None
    return next((process for process in processes if process.pid == pid), None)


@pytest.mark.root
def test_process_with_a_replaced_library(library: Path) -> None:
    with running(library) as process:
        try:
            assert found(process.pid) is None
            draft = library.with_suffix(".new")
            shutil.copy(library, draft)
            draft.replace(library)
            seen = found(process.pid)
        finally:
            process.kill()
    assert seen is not None
    assert seen.libraries == (str(library),)
    assert seen.name.startswith("python")


@pytest.mark.root
def test_file_that_is_only_called_deleted(library: Path) -> None:
    odd = library.rename(f"{library} (deleted)")
    with running(odd) as process:
        try:
            assert found(process.pid) is None
            odd.unlink()
            seen = found(process.pid)
        finally:
            process.kill()
    assert seen is not None
    assert seen.libraries == (str(odd),)


def test_only_executable_mappings_of_package_places_count() -> None:
    start = b"7f00-7f01 %b 00000000 fe:01 42       %b (deleted)\n"
    lines = [
        start % (b"r-xp", b"/usr/lib/libssl.so.3"),
        start % (b"r--p", b"/usr/lib/libssl.so.3"),
        start % (b"r-xp", b"/usr/lib/with space.so"),
        start % (b"rw-p", b"/usr/lib/data"),
        start % (b"r-xp", b"/memfd:jit"),
        start % (b"rwxs", b"/dev/zero"),
        start % (b"r-xp", b"/SYSV00000000"),
        start % (b"r-xp", b"/tmp/ffi"),
        start % (b"r-xp", b"/run/x"),
        b"7f00-7f01 r-xp 00000000 fe:01 42       /usr/lib/libc.so.6\n",
    ]
    assert list(parse_maps(b"".join(lines))) == [
        ("/usr/lib/libssl.so.3", (0xFE, 1, 42)),
        ("/usr/lib/with space.so", (0xFE, 1, 42)),
    ]


@given(st.binary(max_size=200))
def test_any_maps_are_read(data: bytes) -> None:
    list(parse_maps(data))
