"""The network namespaces of this machine, and work done inside of one.

A namespace lives as long as a task lives in it, a file system mount shows it, or an open file
holds it: a descriptor of the namespace itself, or a socket that was made in it
(network_namespaces(7), namespaces(7)).
"""

# ruff: noqa: PTH115, PTH116, PTH208 - called for thousands of processes, pathlib is slow
import ctypes
import os
import re
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from portward.bpf import loader
from portward.survey import files

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_LINK = re.compile(r"net:\[(\d+)\]")
_MOUNTINFO_BYTES = 1 << 24
_MOUNT_ROOT, _MOUNT_POINT = 3, 4  # fields of mountinfo
# struct tenant of owners.bpf.c: process, thread, namespace
_TENANT = struct.Struct("=III")


class NetworkNamespace(NamedTuple):
    """A network namespace."""

    inode: int
    path: str
    """Where setns() can enter it."""
    pids: tuple[int, ...]
    """Processes that live in it; empty for our own, in which all the others do."""
    mounted: str | None
    """Its name, where one is mounted below /run/netns or elsewhere."""


class _Found(NamedTuple):
    """What is known of one namespace while looking for more."""

    path: str
    pids: list[int]


def namespaces() -> tuple[list[NetworkNamespace], tuple[str, ...]]:
    """List the network namespaces that tasks live in or a mount shows, our own first.

    Returns them with a sentence for each reason why there may be more. One that only an open
    file keeps alive shows when owners() meets a socket of it.
    """
    own = _inode("/proc/thread-self/ns/net")
    gaps: list[str] = []
    try:
        found = _inhabited_by_bpf()
    except loader.UnavailableError as error:
        found = _inhabited_by_proc(gaps, str(error))
    mounts = _mounted()
    for inode, path in mounts.items():
        found.setdefault(inode, _Found(path, []))
    found.pop(own or 0, None)
    here = NetworkNamespace(own or 0, "/proc/thread-self/ns/net", (), _name(mounts.get(own or 0)))
    others = [
        NetworkNamespace(inode, path, tuple(dict.fromkeys(pids)), _name(mounts.get(inode)))
        for inode, (path, pids) in sorted(found.items())
    ]
    return [here, *others], tuple(gaps)


def inside(namespace: NetworkNamespace, work: Callable[[], T]) -> T:
    """Run work in a thread that has entered the namespace and return what it returns.

    Raises OSError where it cannot be entered (without CAP_SYS_ADMIN, or because it is gone), and
    whatever work raises.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def enter_and_work() -> None:
        try:
            _enter(namespace)
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
            errors.append(error)

    thread = threading.Thread(target=enter_and_work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _enter(namespace: NetworkNamespace) -> None:
    """Move the calling thread into a namespace (os.setns() is newer than our oldest Python)."""
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(namespace.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # A path of /proc may lead to a newer process of the same number.
        if os.fstat(descriptor).st_ino != namespace.inode:
            raise ProcessLookupError(f"{namespace.path} is another namespace by now")
        if library.setns(descriptor, _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def _inhabited_by_bpf() -> dict[int, _Found]:
    """Find the namespaces that tasks live in, without our own, which the program leaves out."""
    found: dict[int, _Found] = {}
    for process, thread, inode in _TENANT.iter_unpack(loader.records("owners", "tenants")):
        path = f"/proc/{process}/task/{thread}/ns/net"
        found.setdefault(inode, _Found(path, [])).pids.append(process)
    return found


def _inhabited_by_proc(gaps: list[str], why: str) -> dict[int, _Found]:
    """Find the namespaces that processes live in, our own among them."""
    found: dict[int, _Found] = {}
    denied = False
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        path = f"/proc/{name}/ns/net"
        try:
            link = os.readlink(path)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        except OSError:
            denied = True
            continue
        inode = int(link[5:-1])  # net:[4026531840]
        found.setdefault(inode, _Found(path, [])).pids.append(int(name))
    if denied:
        gaps.append("Network namespaces of other users' processes are unknown: needs root.")
    gaps.append(f"Network namespaces that only a thread or an open file keeps are unknown: {why}.")
    return found


def _mounted() -> dict[int, str]:
    """Find namespaces that are mounted: by ip-netns(8), container engines, or anybody."""
    try:
        table = files.read_bytes(Path("/"), "/proc/thread-self/mountinfo", _MOUNTINFO_BYTES)
    except OSError:
        return {}
    return mounted(table)


def mounted(table: bytes) -> dict[int, str]:
    """Return inode -> mount point of the network namespaces in a mountinfo (proc(5)); pure."""
    found: dict[int, str] = {}
    for line in table.splitlines():
        fields = line.split(b" ")
        if len(fields) <= _MOUNT_POINT:
            continue
        link = _LINK.fullmatch(fields[_MOUNT_ROOT].decode("ascii", "replace"))
        if link:
            found.setdefault(int(link[1]), os.fsdecode(_unescape(fields[_MOUNT_POINT])))
    return found


def _unescape(path: bytes) -> bytes:
    r"""Undo the ``\040`` that mountinfo writes for a space."""
    return re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8) & 0xFF]), path)


def _name(mount_point: str | None) -> str | None:
    return mount_point and os.path.basename(mount_point)  # noqa: PTH119 - pathlib is slow


def _inode(link: str) -> int | None:
    try:
        return os.stat(link).st_ino
    except OSError:
        return None
