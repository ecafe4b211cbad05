"""Which processes still run files that an upgrade has replaced or removed (proc_pid_maps(5))."""

import os
import re
from collections.abc import Iterator

from portward.model.host import StaleProcess
from portward.model.unknown import Maybe, Unknown
from portward.survey import cgroups
from portward.survey.files import decoded
from portward.survey.processes import refused

_MAX_BYTES = 64 << 20

# Executable mappings of files where packages put programs and libraries. What a program keeps
# in memory files, /dev/shm, /tmp or /run is not an upgrade.
_DELETED = re.compile(
    rb"^[0-9a-f]+-[0-9a-f]+ ..x. [0-9a-f]+ ([0-9a-f]+):([0-9a-f]+) ([0-9]+) +"
    rb"(/(?:usr|lib|lib32|lib64|libx32|bin|sbin|opt|snap)/[^\n]*) \(deleted\)$",
    re.MULTILINE,
)


def stale() -> Maybe[tuple[StaleProcess, ...]]:
    """Return the processes of this machine that run such a file, by pid.

    Unknown where the maps of a process are closed to us: it could be that one. Only what root
    has found stands, even if the kernel shuts some process to root as well.
    """
    found = []
    closed = False
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names are wanted, not paths
        if not entry.isdecimal():
            continue
        try:
            libraries = tuple(dict.fromkeys(_replaced(int(entry))))
            if libraries:
                found.append(_process(int(entry), libraries))
        except PermissionError:
            closed = True
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        except OSError as error:
            return Unknown(f"/proc/{entry}/maps: {error.strerror}")
    if closed and (os.geteuid() or not found):
        return refused()
    return tuple(sorted(found, key=lambda process: process.pid))


def parse_maps(data: bytes) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Yield the path of each deleted file that is mapped to be executed, with its identity.

    The identity is device (major, minor) and inode. The kernel marks the path with
    " (deleted)", which may as well be the end of a file's name: see _replaced().
    """
    for major, minor, inode, path in _DELETED.findall(data):
        # The kernel writes a line feed in a name as \012 (show_map_vma in fs/proc/task_mmu.c).
        yield decoded(path), (int(major, 16), int(minor, 16), int(inode))


def _replaced(pid: int) -> Iterator[str]:
    for path, identity in parse_maps(_read(f"/proc/{pid}/maps")):
        if _identity(f"/proc/{pid}/root{path} (deleted)") != identity:
            yield path


def _identity(path: str) -> tuple[int, int, int] | None:
    """Return device and inode of the file that really bears this name, if there is one."""
    try:
        facts = os.stat(path)  # noqa: PTH116 - hot
    except OSError:
        return None
    return os.major(facts.st_dev), os.minor(facts.st_dev), facts.st_ino


def _process(pid: int, libraries: tuple[str, ...]) -> StaleProcess:
    place = cgroups.of_process(pid)
    return StaleProcess(
        pid=pid,
        name=decoded(_read(f"/proc/{pid}/comm").rstrip(b"\n")),
        unit=None if isinstance(place, Unknown) else place.unit,
        libraries=libraries,
    )


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - hot
        return file.read(_MAX_BYTES)
