"""Processes by pid: what they run, for whom and since when."""

# ruff: noqa: PTH115, PTH116 - called for thousands of processes, and links hold any bytes
import os
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


class Seen(NamedTuple):
    """A process, and whether it lives in our own file tree (not a container's, no chroot)."""

    process: Process
    ours: bool


class Exe(NamedTuple):
    """The file that a process runs."""

    path: Maybe[str]
    state: Maybe[ExeState]
    ours: bool


def process(pid: int, users: Users) -> Maybe[Seen]:
    """Read one process from /proc; Unknown where it has ended or is hidden from us."""
    place = f"/proc/{pid}"
    try:
        # The directory's owner is the effective user, also of programs that /proc otherwise
        # shows as root's because they gave up rights (task_dump_owner() in fs/proc/base.c).
        uid = os.stat(place).st_uid
        name, ticks = parse_stat(_read(place + "/stat"))
        command = _read(place + "/cmdline")
    except (FileNotFoundError, ProcessLookupError):
        return ENDED
    except (OSError, ValueError):
        return refused()
    program = exe(pid)
    return Seen(
        Process(
            pid=pid,
            name=name,
            exe=program.path,
            exe_state=program.state,
            cmdline=masked(parse_cmdline(command)),
            uid=uid,
            user=(users if program.ours else users.elsewhere(pid)).name(uid),
            started=_started(ticks),
        ),
        program.ours,
    )


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


def _started(ticks: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(_boot() + ticks / os.sysconf("SC_CLK_TCK"), UTC)
    except (OSError, ValueError, IndexError, OverflowError):
        return None
