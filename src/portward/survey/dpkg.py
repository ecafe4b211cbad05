"""The database of dpkg: which packages are installed, and whose a file is.

Formats: dpkg(1), dpkg-divert(1), deb-control(5).
"""

import os
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from msgspec import Struct
from msgspec.structs import replace

from portward import cache
from portward.model.host import Package
from portward.survey.dependencies import Relations, required_by
from portward.survey.files import canonical, decoded, exists, names, read_bytes, resolve

STATUS = "var/lib/dpkg/status"
STATUS_D = "var/lib/dpkg/status.d"
"""One file a package: images without dpkg itself ("distroless") have this."""
_INFO = "var/lib/dpkg/info"
_DIVERSIONS = "var/lib/dpkg/diversions"
_MAX_BYTES = 64 << 20

# With these states every file of the package is on the disk; "half-installed" has some,
# "config-files" none that runs, "not-installed" none at all.
_UNPACKED = {
    b"installed",
    b"triggers-pending",
    b"triggers-awaited",
    b"half-configured",
    b"unpacked",
}

_FIELD = re.compile(
    rb"^(Package|Status|Version|Architecture|Source|Essential|Protected|Important|Priority"
    rb"|Depends|Pre-Depends|Provides):[ \t]*([^\n]*)",
    re.MULTILINE,
)
_TEXTS = (
    *(b"Package", b"Version", b"Architecture", b"Source", b"Priority"),
    *(b"Depends", b"Pre-Depends", b"Provides"),
)
_YES = b"yes"


def parse_status(data: bytes) -> tuple[Package, ...]:
    """Read the paragraphs of a status file; one without "Status" (status.d) is installed."""
    found = []
    relations = []
    for paragraph in data.split(b"\n\n"):
        fields = dict(_FIELD.findall(paragraph))
        state = fields.get(b"Status", b"installed").split()[-1:]
        if b"Package" not in fields or not _UNPACKED.issuperset(state):
            continue
        name, version, architecture, source, priority, *relation = (
            decoded(fields.get(key, b"").strip()) for key in _TEXTS
        )
        source = source.partition(" ")[0]  # "source (version)"
        protected = (fields.get(key) for key in (b"Essential", b"Protected", b"Important"))
        relations.append(Relations(name, *relation))
        found.append(
            Package(
                name=name,
                version=version,
                architecture=architecture,
                source=source if source not in {"", name} else None,
                protected=_YES in protected,
                priority=priority or None,
            )
        )
    dependents = required_by(relations)
    return tuple(replace(one, required_by=dependents.get(one.name, ())) for one in found)


class Diversion(NamedTuple):
    """A file of one package that another moves out of its way."""

    path: str
    moved_to: str
    package: str
    """Whose file may stay at path; ":" for the administrator's own."""


def parse_diversions(text: str) -> tuple[Diversion, ...]:
    """Read /var/lib/dpkg/diversions: three lines each; a last one cut short is left out."""
    lines = text.split("\n")[:-1]
    return tuple(map(Diversion, lines[0::3], lines[1::3], lines[2::3]))


class Table(Struct, frozen=True):
    """In which lists a path may stand, so that only those are read.

    Eight bytes for each path of each package: loading them takes a thousandth of what it takes
    to read the lists.
    """

    lists: tuple[str, ...]
    entries: bytes
    """Sorted 64-bit numbers of this machine's byte order: CRC-32 of a path, index into lists."""

    def find(self, path: bytes) -> list[str]:
        """Name the lists that have a path with the checksum of this one."""
        entries = memoryview(self.entries).cast("Q")
        checksum = crc32(path) << 32
        first = bisect_left(entries, checksum)
        last = bisect_left(entries, checksum + (1 << 32), first)
        return [self.lists[entry & 0xFFFFFFFF] for entry in entries[first:last]]


def table(lists: Iterable[tuple[str, bytes]]) -> Table:
    """Build the table from each list's name and its paths, one a line."""
    found = []
    entries: list[int] = []
    for number, (name, paths) in enumerate(lists):
        found.append(name)
        entries += [crc32(path) << 32 | number for path in paths.splitlines()]
    entries.sort()
    return Table(lists=tuple(found), entries=array("Q", entries).tobytes())


class Dpkg:
    """The database of the machine or image below root; every question may raise OSError."""

    def __init__(self, root: Path) -> None:
        """Nothing is read before it is asked for."""
        self._root = root

    def present(self) -> bool:
        """Say whether there is a database with anything in it."""
        try:
            return resolve(self._root, STATUS).stat().st_size > 0
        except FileNotFoundError:
            return bool(names(self._root, STATUS_D))

    def installed(self) -> tuple[Package, ...]:
        """Return the installed packages, in the database's order."""
        files = [STATUS] if exists(self._root, STATUS) else []
        files += [f"{STATUS_D}/{name}" for name in names(self._root, STATUS_D)]
        found = (
            read_bytes(self._root, name, _MAX_BYTES)
            for name in files
            if not name.endswith(".md5sums")
        )
        return parse_status(b"\n\n".join(found))

    def owner(self, path: str) -> str | None:
        """Name the package that the file at path came with; None where it came with none."""
        for spelling in self._spellings(path):
            listed, exclude, only = spelling, None, None
            for diversion in self._diversions:
                if spelling == diversion.moved_to:
                    listed, exclude = diversion.path, diversion.package
                elif spelling == diversion.path:
                    only = diversion.package
            found = self._listing(listed) - {exclude}
            if only is not None:
                found &= {only}
            if found:
                return min(found)
        return None

    def _listing(self, path: str) -> set[str]:
        """Name the packages that have path in their list."""
        line = os.fsencode(path)
        return {
            _package(name)
            for name in self._table.find(line)
            if b"\n%b\n" % line in b"\n%b\n" % self._paths(name)
        }

    def _spellings(self, path: str) -> list[str]:
        """Write path in every way that a list may have it, the literal one first.

        A link that no package owns (/etc/alternatives) stands for what it points to. On a
        merged /usr packages list /usr/sbin/x or, older ones, /sbin/x.
        """
        directory, _, name = path.rpartition("/")
        real = canonical(self._root, path)
        spellings = [path]
        for spelling in (f"{canonical(self._root, directory)}/{name}", real):
            spellings.append(spelling)
            short = spelling.removeprefix("/usr")
            if short != spelling and canonical(self._root, short) == real:
                spellings.append(short)
        return list(dict.fromkeys(spellings))

    @cached_property
    def _diversions(self) -> tuple[Diversion, ...]:
        try:
            return parse_diversions(decoded(read_bytes(self._root, _DIVERSIONS)))
        except FileNotFoundError:
            return ()

    @cached_property
    def _table(self) -> Table:
        """Building reads every list, so the one of the machine itself is kept."""
        # dpkg replaces the status file in every run that changes a list.
        facts = resolve(self._root, STATUS if exists(self._root, STATUS) else STATUS_D).stat()
        key = f"{facts.st_dev} {facts.st_ino} {facts.st_mtime_ns} {facts.st_size}"
        ours = self._root == Path("/")
        built = cache.load("dpkg-lists", key, Table) if ours else None
        if built is None:
            built = table((name, self._paths(name)) for name in self._lists())
            if ours:
                cache.save("dpkg-lists", key, built)
        return built

    def _lists(self) -> Iterator[str]:
        for directory, ending in ((_INFO, ".list"), (STATUS_D, ".md5sums")):
            for name in names(self._root, directory):
                if name.endswith(ending):
                    yield f"{directory}/{name}"

    def _paths(self, name: str) -> bytes:
        data = read_bytes(self._root, name, _MAX_BYTES)
        if name.endswith(".md5sums"):
            return b"\n".join(b"/" + line[34:] for line in data.splitlines())
        return data


def _package(name: str) -> str:
    """Name the package of a list: "libc6" for .../libc6:amd64.list."""
    return name.rpartition("/")[2].rpartition(".")[0].partition(":")[0]
