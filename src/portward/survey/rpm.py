"""The database of RPM: which packages are installed, and whose a file is.

The sqlite database (RPM 4.16 and newer) is read directly: the tables Packages (one header each)
and Basenames (an index of the files) of lib/backend/sqlite.c. The older formats are left to the
tool rpm.
"""

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from portward.model.host import Package
from portward.survey.files import canonical, decoded, exists, names, read_text, resolve
from portward.survey.rpm_header import parse
from portward.survey.tools import ToolError, output

if TYPE_CHECKING:
    from sqlite3 import Connection

_DIRECTORIES = ("usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm")
_PROTECTED = "etc/dnf/protected.d"
_SQLITE = "rpmdb.sqlite"
_OLDER = ("Packages.db", "Packages")
"""NDB and Berkeley DB."""
_SECONDS = 60

_PACKAGES = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\t%{SOURCERPM}\\n"
_FILES = "[%{=NAME}\\t%{FILENAMES}\\n]"
# What rpm writes for a tag that a package does not have.
_NONE = "(none)"


class RpmError(ValueError):
    """The database cannot be read; the text is a short clause."""


class Rpm:
    """The database of the machine or image below root.

    Every question may raise OSError, or RpmError or HeaderError (both ValueError).
    """

    def __init__(self, root: Path) -> None:
        """Nothing is read before it is asked for."""
        self._root = root

    def present(self) -> bool:
        """Say whether there is a database."""
        return self._path is not None

    def installed(self) -> tuple[Package, ...]:
        """Return the installed packages, in the database's order."""
        if self._sqlite:
            rows = self._rows("SELECT blob FROM Packages ORDER BY hnum")
            packages: Iterator[Package] = (parse(blob).package for (blob,) in rows)
        else:
            packages = parse_query(self._ask(_PACKAGES))
        protected = self._protected()
        return tuple(
            replace(package, protected=True) if package.name in protected else package
            for package in packages
            # Imported signing keys stand in the database as if they were packages.
            if package.name != "gpg-pubkey"
        )

    def _protected(self) -> set[str]:
        """Name the packages that dnf does not remove (dnf.conf(5), protected_packages)."""
        paths = [f"{_PROTECTED}/{name}" for name in names(self._root, _PROTECTED)]
        texts = [read_text(self._root, path) for path in paths if path.endswith(".conf")]
        return {line.strip() for text in texts for line in text.splitlines()}

    def owner(self, path: str) -> str | None:
        """Name the package that the file at path came with; None where it came with none."""
        directory, _, name = path.rpartition("/")
        literal = f"{canonical(self._root, directory)}/{name}"
        for wanted in dict.fromkeys((literal, canonical(self._root, path))):
            for package, listed in self._listed(wanted.rpartition("/")[2]):
                # A package may list the file below a directory that is a link by now.
                directory, _, name = listed.rpartition("/")
                if f"{canonical(self._root, directory)}/{name}" == wanted:
                    return package
        return None

    def _listed(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield the package and the path of every file with this base name."""
        if not self._sqlite:
            yield from self._files.get(name, ())
            return
        rows = self._rows(
            "SELECT b.idx, p.blob FROM Basenames b JOIN Packages p USING (hnum) WHERE b.key = ?",
            name,
        )
        for place, blob in rows:
            header = parse(blob)
            if place < len(header.files):
                yield header.package.name, header.files[place]

    @cached_property
    def _path(self) -> str | None:
        """The database file, as the machine names it."""
        paths = (f"{place}/{name}" for name in (_SQLITE, *_OLDER) for place in _DIRECTORIES)
        return next((path for path in paths if exists(self._root, path)), None)

    @property
    def _sqlite(self) -> bool:
        return self._path is not None and self._path.endswith(_SQLITE)

    @cached_property
    def _connection(self) -> "Connection":
        from portward.survey import sqlite  # noqa: PLC0415 - slow to import, and only where RPM is

        file = resolve(self._root, self._path or "").absolute()  # a URI has no relative path
        try:
            return sqlite.connect(file)
        except sqlite.Error as error:
            raise RpmError(f"the RPM database cannot be opened: {error}") from error

    def _rows(self, query: str, *values: str) -> Iterator[Any]:
        from portward.survey import sqlite  # noqa: PLC0415

        try:
            yield from self._connection.execute(query, values)
        except sqlite.Error as error:
            raise RpmError(f"the RPM database cannot be read: {error}") from error

    def _ask(self, form: str) -> str:
        directory = os.fspath(resolve(self._root, self._path or "").parent)
        command = ["rpm", "--dbpath", directory, "-qa", "--queryformat", form]
        try:
            answer = decoded(output(command, seconds=_SECONDS))
        except ToolError as error:
            raise RpmError(f"an older RPM database, and {error}") from error
        # For a format it was built without, rpm pretends that the database is empty.
        if not answer:
            raise RpmError("an older RPM database that rpm cannot read here")
        return answer

    @cached_property
    def _files(self) -> dict[str, list[tuple[str, str]]]:
        """Package and path by base name, where only the tool can read the database."""
        found: dict[str, list[tuple[str, str]]] = {}
        for line in self._ask(_FILES).splitlines():
            package, _, path = line.partition("\t")
            found.setdefault(path.rpartition("/")[2], []).append((package, path))
        return found


def parse_query(text: str) -> Iterator[Package]:
    """Read what rpm prints for the query above."""
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) == 4:  # noqa: PLR2004 - the fields of the query
            name, version, architecture, source = fields
            source = name if source == _NONE else source.rsplit("-", 2)[0]
            yield Package(
                name=name,
                version=version,
                architecture="" if architecture == _NONE else architecture,
                source=source if source != name else None,
            )
