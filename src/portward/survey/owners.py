"""Which processes hold which sockets.

The kernel's own table of open files, read by a BPF iterator, tells it for all sockets at once.
Where BPF cannot be used, the links below /proc/PID/fd tell it, as far as we may read them.
"""

# ruff: noqa: PTH115, PTH116, PTH208 - called for thousands of processes, pathlib is slow
import contextlib
import itertools
import os
import re
import struct
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from portward.bpf import loader
from portward.survey import files
from portward.survey.processes import Task

_HOLDER = struct.Struct("=Q16sIIQQIIIIQ")  # struct holder of owners.bpf.c

_FIRST_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO, include/linux/proc_ns.h
_SOCKET = re.compile(rb"socket:\[(\d+)\]")
_RING = "anon_inode:[io_uring]"
_FDINFO_BYTES = 1 << 22
_FIRST_DESCRIPTORS = range(3, 11)  # after the three standard streams


class Owners(NamedTuple):
    """The holders of sockets, and how much that says."""

    by: str
    """"bpf" or "proc"."""
    holders: dict[int, tuple[int, ...]]
    """Inode of a socket -> the processes that hold it, the oldest first.

    A walk of /proc ends when it has found one holder for each socket, so some may be missing.
    """
    complete: bool
    """Nobody is hidden: an inode that is not among the holders is held by no process."""
    gaps: tuple[str, ...]
    """What could not be seen, in sentences."""
    filtered: frozenset[int] = frozenset()
    """Inodes of sockets of any kind with a filter attached; only BPF tells."""
    tasks: Mapping[int, Task] = {}
    """What BPF saw of the holders themselves, by process."""


def owners(wanted: Collection[int]) -> Owners:
    """Find the processes that hold the sockets with the wanted inodes.

    Wanted are all listeners of all namespaces: one that is not, in a namespace in which no
    process that we see lives, is reported as a gap.
    """
    try:
        return _by_bpf(frozenset(wanted))
    except loader.UnavailableError as error:
        return by_proc(frozenset(wanted), str(error))


def _by_bpf(wanted: frozenset[int]) -> Owners:
    """Ask the kernel; UnavailableError where BPF cannot be used."""
    found: dict[int, dict[int, None]] = {}
    tasks: dict[int, Task] = {}
    filtered = set()
    missed: dict[int, int] = {}
    rings = []
    for (
        started,
        name,
        uid,
        process,
        mount,
        entry,
        thread,
        descriptor,
        inode,
        has_filter,
        elsewhere,
    ) in sorted(_HOLDER.iter_unpack(loader.records("owners", "holders"))):  # the oldest first
        if inode in wanted:
            found.setdefault(inode, {})[process] = None
            if has_filter:
                filtered.add(inode)
            if process not in tasks:
                tasks[process] = Task(
                    files.decoded(name.rstrip(b"\0")), uid, started, (mount, entry)
                )
        elif not inode:
            rings.append((process, _fdinfo(process, thread, descriptor)))
        elif elsewhere:
            missed.setdefault(elsewhere, process)
    holders = {inode: tuple(everyone) for inode, everyone in found.items()}
    if missing := wanted - holders.keys():
        holders |= _registered(rings, missing)
    hidden = None if wanted <= holders.keys() else _hidden()
    gaps = [] if hidden is None else [hidden]
    gaps += [
        f"A port that process {process} opened in the network namespace net:[{namespace}] is not "
        "listed: the namespace could not be entered."
        for namespace, process in missed.items()
    ]
    return Owners("bpf", holders, hidden is None, tuple(gaps), frozenset(filtered), tasks)


def _hidden() -> str | None:
    """Say why a socket without a holder may have one nevertheless; None: it has none."""
    if os.geteuid():
        return "Owners of sockets of other users are unknown: needs root."
    try:
        if os.stat("/proc/self/ns/pid").st_ino != _FIRST_PID_NAMESPACE:
            return "Processes outside of our PID namespace are hidden, so some owners are unknown."
        for pid in _numbers("/proc"):
            # Asks for the same right as a look at its files (ptrace_may_access()).
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return "Some owners of sockets are unknown: a process hides its files even from root."
    return None


def by_proc(wanted: frozenset[int], why: str) -> Owners:
    """Walk /proc/PID/fd until every wanted inode is found; why says why BPF was not used."""
    walk = _Walk(wanted)
    pids = sorted(_numbers("/proc"))
    for pid in pids[:1]:  # systemd holds the ports it passes on, and is to be named with them
        walk.look(pid, pid)
    walk.sample(pids)
    # Nearly all sockets are in the table that the first thread of a process has; a thread with
    # a table of its own, or whose first thread has ended, is looked at when one is missing.
    tables = itertools.chain(
        ((pid, pid) for pid in pids),
        ((pid, thread) for pid in pids for thread in _numbers(f"/proc/{pid}/task")),
    )
    for pid, thread in tables:
        if not walk.missing:
            break
        walk.look(pid, thread)
    holders = walk.holders
    if walk.missing:
        holders |= _registered(walk.rings, walk.missing)
    gaps = [f"Owners of sockets were looked up in /proc and not with BPF: {why}."]
    hidden = None if wanted <= holders.keys() else _hidden()
    if hidden:
        gaps.append(hidden)
    return Owners("proc", holders, complete=hidden is None, gaps=tuple(gaps))


class _Walk:
    """What a walk over the descriptor tables of processes has seen so far."""

    def __init__(self, wanted: frozenset[int]) -> None:
        self.missing = set(wanted)
        self.holders: dict[int, tuple[int, ...]] = {}
        self.rings: list[tuple[int, str]] = []
        self._links = {f"socket:[{inode}]": inode for inode in wanted}

    def sample(self, pids: Iterable[int]) -> None:
        """Look at the first few descriptors of every process.

        A server opens its ports before it takes connections, so most are found here, without
        reading tables that may be long: 30 ms where those of 2,000 processes took 450.
        """
        for number in _FIRST_DESCRIPTORS:
            for pid in pids:
                if not self.missing:
                    return
                with contextlib.suppress(OSError):
                    link = os.readlink(f"/proc/{pid}/fd/{number}")
                    self._file(pid, pid, str(number), link)

    def look(self, pid: int, thread: int) -> None:
        """Look through the table of one thread."""
        try:
            table = os.open(f"/proc/{pid}/task/{thread}/fd", os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return  # it has ended meanwhile, or hides from us, as _hidden() will find
        try:
            for number in os.listdir(table):
                with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                    self._file(pid, thread, number, os.readlink(number, dir_fd=table))
        except OSError:
            pass
        finally:
            os.close(table)

    def _file(self, pid: int, thread: int, number: str, link: str) -> None:
        inode = self._links.get(link)
        if inode is not None:
            self.missing.discard(inode)
            holders = self.holders.get(inode, ())
            if pid not in holders:
                self.holders[inode] = (*holders, pid)
        elif link == _RING:
            self.rings.append((pid, _fdinfo(pid, thread, number)))


def _numbers(folder: str) -> list[int]:
    """Name the processes or threads in a folder of /proc."""
    try:
        return [int(name) for name in os.listdir(folder) if name.isdecimal()]
    except OSError:
        return []


def _fdinfo(pid: int, thread: int, number: int | str) -> str:
    return f"/proc/{pid}/task/{thread}/fdinfo/{number}"


def _registered(
    rings: Iterable[tuple[int, str]], missing: Collection[int]
) -> dict[int, tuple[int, ...]]:
    """Find sockets among the files registered with io_urings, as their fdinfo lists them."""
    holders: dict[int, tuple[int, ...]] = {}
    for pid, place in rings:
        try:
            lines = files.read_bytes(Path("/"), place, _FDINFO_BYTES)
        except OSError:
            continue
        for link in _SOCKET.finditer(lines):
            inode = int(link[1])
            known = holders.get(inode, ())
            if inode in missing and pid not in known:
                holders[inode] = (*known, pid)
    return holders
