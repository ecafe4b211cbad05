"""Control groups: which unit and which container a socket or a process belongs to.

A socket keeps the id of the cgroup it was made in (INET_DIAG_CGROUP_ID); the id is the inode
number of a directory of the cgroup v2 tree, and the directory's path names unit and container.
"""

# ruff: noqa: PTH115 - raw file descriptors and hundreds of calls
import errno
import os
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from portward.model.unknown import NEEDS_ROOT, Maybe, Unknown

GONE = Unknown("its control group is gone")
NO_TREE = Unknown("no cgroup v2 tree is mounted")
NONE_KEPT = Unknown("the kernel kept no control group with the socket")

ROOT_ID = 1
"""Of the tree's root; also what a socket has while net_cls or net_prio of v1 is in use."""
_FILEID_KERNFS = 0xFE  # include/linux/exportfs.h
_HANDLE_BYTES = 8
_MAX_GROUPS = 1 << 17


class Place(NamedTuple):
    """What the path of a cgroup says."""

    unit: str | None = None
    """systemd unit; inside a container: the unit of the container's own systemd."""
    user: int | None = None
    """uid of the user whose own manager runs the unit."""
    engine: str | None = None
    container: str | None = None
    """What the engine calls it: an id of docker and its kin, else a name."""
    manager: bool = False
    """It is where a systemd manager itself lives (init.scope)."""

    @property
    def activates(self) -> bool:
        """Say whether sockets made here are opened by systemd for others.

        systemd opens the ports of a socket unit from within the unit's own cgroup where the
        kernel can filter by cgroup, and from init.scope where it cannot.
        """
        return self.manager or (self.unit or "").endswith(".socket")


_HOST = Place()
_UNIT = re.compile(r"[^/]+\.(?:service|scope|socket|mount|swap)")
_ID_SCOPE = re.compile(r"(?:(.+)-)?([0-9a-f]{64})(?:\.scope)?")
_ENGINES = {
    "docker": "docker",
    "libpod": "podman",
    "libpod-payload": "podman",
    "crio": "kubernetes",
    "cri-containerd": "kubernetes",
    "kubepods": "kubernetes",
}
_LXC = re.compile(r".*/lxc\.payload\.(.+)|lxc(?:\.payload)?/((?!.*\.(?:slice|scope|service)$).+)")
_NSPAWN = re.compile(r"systemd-nspawn@(.+)\.service")
_MACHINE = re.compile(r"machine-(.+)\.scope")
_ENGINE_HELPERS = {"libpod-conmon", "crio-conmon"}
"""Scopes of programs that stand beside a container, on the host."""


def parse(path: str) -> Place:
    """Read the path of a cgroup as systemd and the container engines write it."""
    parts = [_unescape_group(part) for part in path.split("/") if part]
    place = _HOST
    index = 0
    while index < len(parts):
        part = parts[index]
        before = parts[index - 1] if index else ""
        found = _container(part, before, parts)
        if found:
            # What follows is the tree of the container's own systemd, if it has one.
            place = Place(engine=found[0], container=found[1])
        elif place.unit is None:
            place = _unit(part, place)
        elif place.user is None and (uid := _manager_of(place.unit)) is not None:
            inner = _unit(part, _HOST)
            if inner.unit or inner.manager:
                place = inner._replace(
                    unit=inner.unit or place.unit,
                    user=uid,
                    engine=place.engine,
                    container=place.container,
                )
        index += 1
    return place


def _unit(part: str, place: Place) -> Place:
    if part == "init.scope":
        return place._replace(manager=True)
    return place._replace(unit=part) if _UNIT.fullmatch(part) else place


def _manager_of(unit: str) -> int | None:
    uid = unit.removeprefix("user@").removesuffix(".service")
    return int(uid) if unit.startswith("user@") and uid.isascii() and uid.isdigit() else None


def _container(  # noqa: PLR0911 - one return for each way to name a container
    part: str, before: str, parts: list[str]
) -> tuple[str, str] | None:
    """Return engine and id or name, where this part of a path is a container's."""
    if match := _ID_SCOPE.fullmatch(part):
        prefix = match[1] or before
        if prefix in _ENGINE_HELPERS:
            return None
        if any(one.startswith("kubepods") for one in parts):
            return "kubernetes", match[2]
        return _ENGINES.get(prefix, "unknown"), match[2]
    if match := _LXC.fullmatch(f"{before}/{part}"):
        return "lxc", match[1] or match[2]
    if match := _NSPAWN.fullmatch(part):
        return "nspawn", unescape(match[1])
    if match := _MACHINE.fullmatch(part):
        name = unescape(match[1])
        if name.startswith("qemu-"):
            return None  # libvirt's: the machine's ports are qemu's own, on the host
        libvirt = name.startswith("lxc-")
        return ("lxc", name.split("-", 2)[-1]) if libvirt else ("nspawn", name)
    return None


def unescape(name: str) -> str:
    r"""Undo systemd's escapes in a name: ``\x2d`` is a dash, a dash a slash (systemd-escape(1)).

    Names of machines hold no slash, so a plain dash is left as it is.
    """
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), name)


def _unescape_group(part: str) -> str:
    """Remove the underscore that systemd puts before names the kernel would take for its own."""
    return part.removeprefix("_")


def parse_membership(text: str) -> tuple[str, ...]:
    """Return the paths in /proc/PID/cgroup that name units: v2 and systemd's own v1 hierarchy."""
    paths = []
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2) if line.count(":") > 1 else ("", "?", "")
        if controllers in {"", "name=systemd"} and path.startswith("/"):
            paths.append(path.removesuffix(" (deleted)"))
    return tuple(paths)


def best(paths: Collection[str]) -> Place:
    """Choose among the hierarchies of one process: a container first, then a unit.

    On a hybrid machine an engine may have made its cgroup in one hierarchy only.
    """
    places = [parse(path) for path in paths]
    ranked = sorted(places, key=lambda place: (place.container is None, place.unit is None))
    return ranked[0] if ranked else _HOST


def of_process(pid: int) -> Maybe[Place]:
    """Say where a process lives now."""
    try:
        with open(f"/proc/{pid}/cgroup", "rb") as file:  # noqa: PTH123 - one plain read
            return best(parse_membership(file.read(1 << 16).decode("utf-8", "backslashreplace")))
    except (FileNotFoundError, ProcessLookupError):
        return Unknown("the process ended meanwhile")
    except OSError:
        return NEEDS_ROOT


def root_members(mounts: "Mounts") -> frozenset[int]:
    """Return the processes in the root of every tree, so in no unit and no container."""
    members = None
    for tree in (mounts.unified, mounts.named):
        if tree is None:
            continue
        try:
            with open(f"{tree}/cgroup.procs", "rb") as file:  # noqa: PTH123 - one plain read
                found = frozenset(map(int, file.read(16 << 20).split()))
        except (OSError, ValueError):
            return frozenset()
        members = found if members is None else members & found
    return members or frozenset()


class Mounts(NamedTuple):
    """Where the cgroup trees are."""

    unified: str | None
    """Mount point of cgroup v2."""
    hybrid: bool
    """There are v1 hierarchies as well, so a v2 path may not tell all."""
    named: str | None = None
    """Mount point of systemd's own v1 hierarchy."""


def parse_mounts(mountinfo: str) -> Mounts:
    """Find the cgroup trees in /proc/self/mountinfo (proc(5)); the topmost mount wins."""
    unified, named, hybrid = None, None, False
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.partition(" ")
        parts = fields.split()
        if kind not in {"cgroup", "cgroup2"} or len(parts) <= 4:  # noqa: PLR2004 - field 5
            continue
        place = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), parts[4])
        if kind == "cgroup2":
            unified = place
        else:
            hybrid = True
            named = place if "name=systemd" in options else named
    return Mounts(unified, hybrid, named)


def mounts() -> Mounts:
    """Find the cgroup trees of the running machine."""
    with open("/proc/self/mountinfo", "rb") as file:  # noqa: PTH123 - one plain read
        return parse_mounts(file.read(16 << 20).decode("utf-8", "backslashreplace"))


def paths(ids: Collection[int], unified: str | None) -> dict[int, Maybe[str]]:
    """Return the path below the v2 tree for each cgroup id."""
    wanted = {number for number in ids if number > ROOT_ID}
    found: dict[int, Maybe[str]] = dict.fromkeys(wanted, GONE)
    if unified is None:
        return dict.fromkeys(wanted, NO_TREE)
    if not wanted:
        return found
    try:
        found.update(_by_handle(wanted, unified))
    except OSError:
        found.update(_by_walk(wanted, unified))
    return found


def _by_handle(wanted: Collection[int], unified: str) -> Iterator[tuple[int, str]]:
    """Open each id as a file handle of kernfs; OSError where we lack CAP_DAC_READ_SEARCH."""
    import ctypes  # noqa: PLC0415 - takes milliseconds, and not every survey needs it

    class FileHandle(ctypes.Structure):
        _fields_ = (
            ("handle_bytes", ctypes.c_uint32),
            ("handle_type", ctypes.c_int),
            ("id", ctypes.c_uint64),
        )

    library = ctypes.CDLL(None, use_errno=True)
    try:
        open_by_handle = library.open_by_handle_at
    except AttributeError as error:
        raise OSError("no open_by_handle_at in this C library") from error
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    tree = os.open(unified, flags)
    try:
        for number in wanted:
            handle = FileHandle(_HANDLE_BYTES, _FILEID_KERNFS, number)
            descriptor = open_by_handle(tree, ctypes.byref(handle), flags)
            if descriptor < 0:
                error_number = ctypes.get_errno()
                if error_number == errno.ESTALE:  # the cgroup was removed
                    continue
                raise OSError(error_number, os.strerror(error_number))
            try:
                path = os.readlink(f"/proc/self/fd/{descriptor}")
            finally:
                os.close(descriptor)
            yield number, path.removeprefix(unified).removesuffix(" (deleted)") or "/"
    finally:
        os.close(tree)


def _by_walk(wanted: Collection[int], unified: str) -> Iterator[tuple[int, str]]:
    """Look at every cgroup that we may see; works without any privilege."""
    left = set(wanted)
    waiting = [unified]
    for _ in range(_MAX_GROUPS):
        if not waiting or not left:
            return
        place = waiting.pop()
        try:
            with os.scandir(place) as entries:
                groups = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue
        for entry in groups:
            waiting.append(entry.path)
            if entry.inode() in left:
                left.discard(entry.inode())
                yield entry.inode(), entry.path.removeprefix(unified)
