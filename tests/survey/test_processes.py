import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.host import ExeState
from portward.model.unknown import NEEDS_ROOT
from portward.survey import processes
from portward.survey.processes import ENDED, NO_PROGRAM, Seen, process
from portward.survey.users import Users

SLEEP = shutil.which("sleep") or "/bin/sleep"
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def run(*command: str, **settings: object) -> "subprocess.Popen[bytes]":
        child = subprocess.Popen(command, **settings)  # type: ignore[call-overload]  # passed on
        started.append(child)
        return child  # type: ignore[no-any-return]  # the same

    yield run
    for child in started:
        child.kill()
        child.wait()


def seen(pid: int) -> Seen:
    found = process(pid, Users())
    assert isinstance(found, Seen)
    return found


def test_a_process_is_named_with_what_it_runs(start: Start) -> None:
    child = start(SLEEP, "60")
    found = seen(child.pid)
    assert found.ours
    assert found.process.pid == child.pid
    assert found.process.exe == os.path.realpath(SLEEP)
    assert found.process.exe_state == ExeState.PRESENT
    assert found.process.cmdline == (SLEEP, "60")
    assert found.process.uid == os.geteuid()
    assert found.process.user == Users().name(os.geteuid())
    started = found.process.started
    assert started is not None
    assert abs(datetime.now(UTC) - started) < timedelta(minutes=5)


def test_the_start_time_is_the_same_on_every_look(start: Start) -> None:
    child = start(SLEEP, "60")
    assert seen(child.pid).process.started == seen(child.pid).process.started


def test_a_program_that_was_deleted(start: Start, tmp_path: Path) -> None:
    program = Path(shutil.copy(SLEEP, tmp_path / "server"))
    child = start(str(program), "60")
    program.unlink()
    found = seen(child.pid)
    assert (found.process.exe, found.process.exe_state) == (str(program), ExeState.DELETED)
    assert found.ours


def test_a_program_that_another_file_replaced(start: Start, tmp_path: Path) -> None:
    program = Path(shutil.copy(SLEEP, tmp_path / "server"))
    child = start(str(program), "60")
    newer = Path(shutil.copy(SLEEP, tmp_path / "newer"))
    newer.rename(program)
    found = seen(child.pid)
    assert (found.process.exe, found.process.exe_state) == (str(program), ExeState.REPLACED)


def test_a_file_that_only_calls_itself_deleted(start: Start, tmp_path: Path) -> None:
    program = shutil.copy(SLEEP, tmp_path / "server (deleted)")
    child = start(str(program), "60")
    found = seen(child.pid)
    assert (found.process.exe, found.process.exe_state) == (str(program), ExeState.PRESENT)


def test_the_deleted_file_of_a_name_that_lies(start: Start, tmp_path: Path) -> None:
    program = Path(shutil.copy(SLEEP, tmp_path / "server (deleted)"))
    child = start(str(program), "60")
    program.unlink()
    found = seen(child.pid)
    assert (found.process.exe, found.process.exe_state) == (str(program), ExeState.DELETED)


def test_a_program_that_never_was_a_file(start: Start) -> None:
    descriptor = os.memfd_create("implant", 0)
    os.write(descriptor, Path(SLEEP).read_bytes())
    child = start(f"/proc/self/fd/{descriptor}", "60", pass_fds=(descriptor,))
    os.close(descriptor)
    found = seen(child.pid)
    assert (found.process.exe, found.process.exe_state) == ("/memfd:implant", ExeState.MEMORY)
    assert found.ours


def test_undecodable_bytes_are_written_out(start: Start, tmp_path: Path) -> None:
    program = os.fsencode(tmp_path) + b"/\xff\xfe"
    shutil.copy(os.fsencode(SLEEP), program)
    child = start(program, "60")
    found = seen(child.pid)
    assert found.process.exe == f"{tmp_path}/\\xff\\xfe"
    assert found.process.exe_state == ExeState.PRESENT


@pytest.mark.root
def test_a_program_of_another_mount_namespace_is_not_ours(start: Start, tmp_path: Path) -> None:
    script = (
        f"mount -t tmpfs none {tmp_path} && cp {SLEEP} {tmp_path}/inner && exec {tmp_path}/inner 60"
    )
    child = start("unshare", "--mount", "sh", "-c", script)
    for _ in range(100):
        if Path(f"/proc/{child.pid}/comm").read_text() == "inner\n":
            break
        time.sleep(0.05)
    found = seen(child.pid)
    assert (found.process.exe, found.process.exe_state) == (f"{tmp_path}/inner", ExeState.PRESENT)
    assert not found.ours


@pytest.mark.root
def test_the_user_of_a_program_that_gave_up_rights(start: Start) -> None:
    # setuid() makes a process undumpable, and most of its /proc files root's.
    code = "import os, time; os.setgid(65534); os.setuid(65534); print(flush=True); time.sleep(60)"
    child = start(sys.executable, "-c", code, stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        child.stdout.readline()
        found = seen(child.pid)
    assert found.process.uid == 65534
    assert found.process.user == Users().name(65534)


@pytest.mark.root
def test_without_rights_the_program_is_unknown_not_none() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        found = process(os.getppid(), Users())
        good = isinstance(found, Seen) and found.process.exe == NEEDS_ROOT
        os.write(writer, b"y" if good else b"n")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 1) == b"y"
    os.close(reader)
    os.close(writer)


def test_a_process_that_has_ended() -> None:
    child = subprocess.Popen([SLEEP, "0"])
    child.wait()
    assert process(child.pid, Users()) == ENDED


def test_a_process_without_program(start: Start) -> None:
    child = start(SLEEP, "0")
    for _ in range(100):
        if b") Z " in Path(f"/proc/{child.pid}/stat").read_bytes():
            break
        time.sleep(0.05)
    found = seen(child.pid)
    assert found.process.exe == NO_PROGRAM
    assert found.process.cmdline == ()


def test_a_name_full_of_traps_is_kept_whole() -> None:
    name = b"a) R 1 (\x1b[31m"
    library = ctypes.CDLL(None)
    before = Path("/proc/self/comm").read_bytes().rstrip(b"\n")
    library.prctl(15, name, 0, 0, 0)  # PR_SET_NAME
    try:
        assert seen(os.getpid()).process.name == name.decode()
    finally:
        library.prctl(15, before, 0, 0, 0)


def test_a_long_command_line_is_cut_and_says_so() -> None:
    assert processes.parse_cmdline(b"a\0" * 4000)[-1] == "..."
    assert processes.parse_cmdline(b"nginx: master\0\0\0\0 ") == ("nginx: master",)
    assert processes.parse_cmdline(b"a\0\0b\0") == ("a", "", "b")


@given(st.binary())
def test_damaged_stat_is_a_value_error(raw: bytes) -> None:
    try:
        name, ticks = processes.parse_stat(raw)
    except ValueError:
        return
    assert isinstance(name, str)
    assert isinstance(ticks, int)
