"""What dnf knows of newer versions, from its cache alone: nothing is fetched."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from portward.model.host import PendingUpdate
from portward.survey.files import decoded, names, resolve
from portward.survey.rpm import Rpm
from portward.survey.tools import output

_CACHES = ("var/cache/libdnf5", "var/cache/dnf")
_SECONDS = 60
_UPDATES = 100
"""Exit status of check-update where there are any (dnf(8))."""

_EVR = r"(?P<version>(?:[0-9]+:)?[^\s-]+-[^\s-]+)"
_ROW = re.compile(rf"^(?P<name>[^\s.]\S*)\.(?P<arch>[^\s.]+)\s+{_EVR}\s+\S+\s*$", re.MULTILINE)
# "FEDORA-2024-1a2b3c  Important/Sec.  openssl-libs-1:3.0.9-2.fc38.x86_64", in dnf5 with more
# columns behind.
_ADVISORY = re.compile(rf"\s(?P<name>[^\s/]+)-{_EVR}\.(?P<arch>[^\s.]+)(?:\s|$)", re.MULTILINE)


def lists_updated(root: Path) -> datetime | None:
    """Return when the newest repository's data was fetched or found to be still good."""
    times = [
        resolve(root, f"{cache}/{repository}/repodata/repomd.xml").stat().st_mtime
        for cache in _CACHES
        for repository in names(root, cache)
        if resolve(root, f"{cache}/{repository}/repodata/repomd.xml").exists()
    ]
    return datetime.fromtimestamp(max(times), UTC) if times else None


def pending() -> tuple[PendingUpdate, ...]:
    """Ask dnf on this machine; raise ToolError, OSError or ValueError where it cannot tell."""
    quiet = ["dnf", "-q", "-C"]
    updates = output([*quiet, "check-update"], seconds=_SECONDS, good=(0, _UPDATES))
    advisories = output([*quiet, "updateinfo", "list", "--security"], seconds=_SECONDS)
    present = {
        (package.name, package.architecture): package.version
        for package in Rpm(Path("/")).installed()
    }
    secure = set(parse_advisories(decoded(advisories)))
    return tuple(
        PendingUpdate(
            package=name,
            installed=present[name, architecture],
            candidate=version,
            security=(name, architecture) in secure,
        )
        for name, architecture, version in parse_updates(decoded(updates))
        if (name, architecture) in present
    )


def parse_updates(text: str) -> Iterator[tuple[str, str, str]]:
    """Read name, architecture and version from ``check-update``, up to the obsoleted packages."""
    text = re.split(r"^Obsoleting", text, maxsplit=1, flags=re.IGNORECASE | re.MULTILINE)[0]
    for row in _ROW.finditer(text):
        yield row["name"], row["arch"], row["version"]


def parse_advisories(text: str) -> Iterator[tuple[str, str]]:
    """Read name and architecture of each package from ``updateinfo list``."""
    for row in _ADVISORY.finditer(text):
        yield row["name"], row["arch"]
