"""Processes by pid: what they run, for whom and since when."""

# ruff: noqa: PTH115, PTH116 - called for thousands of processes, and links hold any bytes
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from portward.model.host import ExeState, Process
from portward.model.unknown import NEEDS_ROOT, Maybe, Unknown
from portward.survey.command_line import masked
from portward.survey.files import decoded
from portward.survey.users import Users

MAX_CMDLINE = 4096
"""Bytes of a command line that are read; what is cut off is shown as "..."."""
ENDED = Unknown("the process ended meanwhile")
NO_PROGRAM = Unknown("it has no program file: a kernel thread, or its first thread has ended")
NOWHERE = Unknown("its path leads nowhere from here")
_DELETED = b" (deleted)"
_NANOSECONDS = 1_000_000_000
_HUNDREDTH = _NANOSECONDS // 100


class Seen(NamedTuple):
    """A process, and whether it lives in our own file tree (not a container's, no chroot)."""

    process: Process
    ours: bool


class Task(NamedTuple):
    """What the kernel itself says of a process; read from /proc, or together with its sockets."""

    name: str
    uid: int
    """Of the effective user, also of programs that /proc otherwise shows as root's because they
    gave up rights (task_dump_owner() in fs/proc/base.c)."""
    started: int
    """Nanoseconds from the boot to its start."""
    image: tuple[int, int] | None = None
    """The same for all whose /proc/PID/exe leads to the same path; None: not known."""


class Exe(NamedTuple):
    """The file that a process runs."""

    path: Maybe[str]
    state: Maybe[ExeState]
    ours: bool


class Processes:
    """Looks up each process once, and once the program that many of them run."""

    def __init__(self, users: Users, tasks: Mapping[int, Task]) -> None:
        """Take what is already known of some processes."""
        self._users = users
        self._tasks = tasks
        self._seen: dict[int, Maybe[Seen]] = {}
        self._programs: dict[tuple[int, int], Exe] = {}

    def find(self, pid: int) -> Maybe[Seen]:
        """Return one process; Unknown where it has ended or is hidden from us."""
        found = self._seen.get(pid)
        if found is None:
            task = self._tasks.get(pid)
            program = self._program(pid, task.image) if task and task.image else None
            found = self._seen[pid] = process(pid, self._users, task, program)
        return found

    def _program(self, pid: int, image: tuple[int, int]) -> Exe:
        """Look up a program, unless the same path led to the same file before.

        Of any other outcome it is not certain that it holds for the next process too.
        """
        found = self._programs.get(image)
        if found is None:
            found = exe(pid)
            if found.ours and found.state == ExeState.PRESENT and all(image):
                self._programs[image] = found
        return found


def process(
    pid: int, users: Users, task: Task | None = None, program: Exe | None = None
) -> Maybe[Seen]:
    """Read from /proc what is not known of a process; Unknown where it has ended or is hidden."""
    try:
        task = task or _task(pid)
        command = _read(f"/proc/{pid}/cmdline")
    except (FileNotFoundError, ProcessLookupError):
        return ENDED
    except (OSError, ValueError):
        return refused()
    program = program or exe(pid)
    return Seen(
        Process(
            pid=pid,
            name=task.name,
            exe=program.path,
            exe_state=program.state,
            cmdline=_arguments(command),
            uid=task.uid,
            user=(users if program.ours else users.elsewhere(pid)).name(task.uid),
            started=_started(task.started),
        ),
        program.ours,
    )


def _task(pid: int) -> Task:
    """Read what the kernel says of a process from /proc; raise OSError or ValueError."""
    place = f"/proc/{pid}"
    name, ticks = parse_stat(_read(place + "/stat"))
    return Task(name, os.stat(place).st_uid, ticks * _NANOSECONDS // os.sysconf("SC_CLK_TCK"))


def exe(pid: int) -> Exe:  # noqa: PLR0911 - one return for each thing that can be true
    """Say which file a process runs, and what became of it.

    Device and inode decide: the text of the link is the same for a deleted file and for one
    whose name ends in " (deleted)", and it may speak of another mount namespace.
    """
    link = f"/proc/{pid}/exe".encode()
    try:
        path = os.readlink(link)
        facts = os.stat(link)
    except FileNotFoundError:
        return Exe(NO_PROGRAM, NO_PROGRAM, _same_tree(pid))
    except ProcessLookupError:
        return Exe(ENDED, ENDED, ours=False)
    except OSError:
        return Exe(refused(), refused(), ours=True)
    running = (facts.st_dev, facts.st_ino)
    if _identity(path) == running:
        return Exe(decoded(path), ExeState.PRESENT, ours=True)
    theirs = f"/proc/{pid}/root".encode()
    if _identity(theirs + path) == running:
        return Exe(decoded(path), ExeState.PRESENT, ours=False)
    unlinked = path.endswith(_DELETED)
    path = path.removesuffix(_DELETED)
    if unlinked and path.startswith(b"/memfd:") and _device(b"/") != facts.st_dev:
        return Exe(decoded(path), ExeState.MEMORY, _same_tree(pid))
    ours = _same_tree(pid)
    if _identity(theirs + path) is not None:
        return Exe(decoded(path), ExeState.REPLACED, ours)
    return Exe(decoded(path), ExeState.DELETED if unlinked else NOWHERE, ours)


def refused() -> Unknown:
    """Say why /proc shuts a process to us: root may be refused as well, in a container say."""
    return NEEDS_ROOT if os.geteuid() else Unknown("the kernel refuses it, even to root")


def parse_stat(raw: bytes) -> tuple[str, int]:
    """Return comm and start time (clock ticks since boot) of /proc/PID/stat (proc(5)).

    comm may hold spaces, parentheses and newlines, so its end is the last parenthesis.
    ValueError where it is not such a line.
    """
    start, end = raw.index(b"(") + 1, raw.rindex(b")")
    fields = raw[end + 2 :].split(None, 20)
    if len(fields) < 20:  # noqa: PLR2004 - field 22, counted from the third
        raise ValueError("not the stat of a process")
    return decoded(raw[start:end]), int(fields[19])


@cache
def _arguments(raw: bytes) -> tuple[str, ...]:
    """Read a command line without its secrets; the workers of a pool all have the same."""
    return masked(parse_cmdline(raw))


def parse_cmdline(raw: bytes) -> tuple[str, ...]:
    """Split /proc/PID/cmdline; programs that rewrite their title leave padding behind."""
    arguments = raw[:MAX_CMDLINE].rstrip(b"\0 ")
    if not arguments:
        return ()
    cut = ("...",) if len(raw) > MAX_CMDLINE else ()
    return (*decoded(arguments).split("\0"), *cut)


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, MAX_CMDLINE + 1)
    finally:
        os.close(descriptor)


def _identity(path: bytes) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return None
    return facts.st_dev, facts.st_ino


def _device(path: bytes) -> int | None:
    identity = _identity(path)
    return identity[0] if identity else None


def _same_tree(pid: int) -> bool:
    """Say whether paths mean the same to a process as to us."""
    try:
        if _identity(f"/proc/{pid}/root".encode()) != _identity(b"/"):
            return False
        return os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    except OSError:
        return False


@cache
def _boot() -> int:
    """Return the second of the boot, from /proc/stat: the same on every call."""
    with open("/proc/stat", "rb") as file:  # noqa: PTH123 - one plain read
        _, _, rest = file.read().partition(b"\nbtime ")
    return int(rest.split(None, 1)[0])


def _started(nanoseconds: int) -> datetime | None:
    """Return the time of a start, to the hundredth of a second that /proc tells it by."""
    try:
        since = nanoseconds // _HUNDREDTH / 100
        return datetime.fromtimestamp(_boot() + since, UTC)
    except (OSError, ValueError, IndexError, OverflowError):
        return None
