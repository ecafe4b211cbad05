"""Which packages are installed, and which of them a program or a unit file came with."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from portward.model.host import Package
from portward.model.unknown import NEEDS_ROOT, Maybe, Unknown
from portward.survey.dpkg import Dpkg

if TYPE_CHECKING:
    from portward.survey.rpm import Rpm

# A snap is mounted at /snap/NAME/REVISION, on Fedora below /var/lib/snapd. A flatpak lies at
# .../app/ID/ARCHITECTURE/BRANCH, runtimes likewise.
_BUNDLE = re.compile(
    r"(?:/var/lib/snapd)?/snap/(?!bin/)([^/]+)/[^/]+/"
    r"|/(?:var/lib|(?:root|home/[^/]+)/\.local/share)/flatpak/(?:app|runtime)/([^/]+)/"
)


def installed(root: Path) -> Maybe[tuple[Package, ...]]:
    """Return the installed packages of the machine's package manager, in its order."""
    try:
        return database(root).installed()
    except (OSError, ValueError) as error:
        return _unknown(error)


class DatabaseError(ValueError):
    """The database of packages cannot be read; the text is a short clause."""


def database(root: Path) -> "Dpkg | Rpm":
    """Open the database of the machine's package manager: dpkg, where it has packages, else RPM.

    Raise OSError or DatabaseError where there is none to read.
    """
    dpkg = Dpkg(root)
    if dpkg.present():
        return dpkg
    from portward.survey.rpm import Rpm  # noqa: PLC0415 - not on the way to status on Debian

    rpm = Rpm(root)
    if not rpm.present():
        raise DatabaseError("no dpkg or RPM database")
    return rpm


class PackageIndex:
    """Answers whose a file is; asks each question once, and opens the database at the first."""

    def __init__(self, root: Path) -> None:
        """Nothing is read before it is asked for."""
        self._root = root
        self._known: dict[str, Maybe[str | None]] = {}
        self._database: Maybe[Dpkg | Rpm] | None = None

    def owner(self, path: str) -> Maybe[str | None]:
        """Name the package that the file at path came with; None where it came with none.

        The path is the machine's own (in an image: without the image's directory). Links are
        followed. An application of snap or flatpak is a package too.
        """
        if path not in self._known:
            self._known[path] = self._find(path)
        return self._known[path]

    def _find(self, path: str) -> Maybe[str | None]:
        if bundle := _BUNDLE.match(path):
            return bundle[1] or bundle[2]
        try:
            if self._database is None:
                self._database = database(self._root)
            if isinstance(self._database, Unknown):
                return self._database
            return self._database.owner(path)
        except (OSError, ValueError) as error:
            self._database = _unknown(error)
            return self._database


def index(root: Path) -> PackageIndex:
    """Return the index of the machine or image below root; nothing is read yet."""
    return PackageIndex(root)


def _unknown(error: OSError | ValueError) -> Unknown:
    if isinstance(error, PermissionError):
        return NEEDS_ROOT
    if isinstance(error, OSError):
        return Unknown(f"the database of packages cannot be read: {error.strerror}")
    return Unknown(str(error))
