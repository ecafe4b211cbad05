"""Scanners for malicious software: which are there, do they run, how old is what they know."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from portward.model.host import Antivirus
from portward.model.unknown import NO_DAEMON, NOT_RUNNING, NOT_TOLD, Maybe, Unknown
from portward.survey.files import exists, names, resolve
from portward.survey.processes import refused

_RUNNING = Path("/")

_CLAMAV = "var/lib/clamav"
_HEADER_BYTES = 512
# The head of a ClamAV database: "ClamAV-VDB:07 Jan 2024 04-21 -0500:27147:..." (libclamav/cvd.c).
_BUILT = re.compile(rb"ClamAV-VDB:(\d\d \w{3} \d{4} \d\d-\d\d [+-]\d{4}):")


class Scanner(NamedTuple):
    """A product, by what it leaves on the disk."""

    name: str
    places: tuple[str, ...]
    """It is there if one of these is."""
    daemons: tuple[str, ...] = ()
    """File names of the programs that scan all the time."""
    signatures: str | None = None
    """A directory whose files are the signatures; None where only the product knows."""


_SCANNERS = (
    Scanner(
        "clamav",
        ("usr/bin/clamscan", "usr/sbin/clamd", "usr/bin/clamdscan"),
        ("clamd", "clamonacc"),
        _CLAMAV,
    ),
    Scanner("rkhunter", ("usr/bin/rkhunter", "usr/local/bin/rkhunter"), (), "var/lib/rkhunter/db"),
    Scanner("chkrootkit", ("usr/sbin/chkrootkit", "usr/local/bin/chkrootkit")),
    Scanner("maldet", ("usr/local/maldetect/maldet",), (), "usr/local/maldetect/sigs"),
    Scanner("sophos", ("opt/sophos-spl", "opt/sophos-av"), ("sophos_managementagent", "savd")),
    Scanner("crowdstrike-falcon", ("opt/CrowdStrike/falcond",), ("falcon-sensor", "falcond")),
    Scanner("microsoft-defender", ("opt/microsoft/mdatp",), ("wdavdaemon",)),
    Scanner("eset", ("opt/eset/efs", "opt/eset/eea", "opt/eset/esets"), ("scand", "esets_daemon")),
    Scanner("sentinelone", ("opt/sentinelone",), ("sentinelone-agent", "s1-agent")),
    Scanner("trend-micro", ("opt/ds_agent",), ("ds_agent", "ds_am")),
    Scanner("kaspersky", ("opt/kaspersky/kesl",), ("kesl",)),
)


def antivirus(root: Path) -> Maybe[tuple[Antivirus, ...]]:
    """Return the scanners that are installed; empty where none of the known ones is."""
    try:
        present = [
            scanner for scanner in _SCANNERS if any(exists(root, place) for place in scanner.places)
        ]
        return tuple(
            Antivirus(
                name=scanner.name,
                running=_runs(scanner) if root == _RUNNING else NOT_RUNNING,
                signatures_updated=_updated(root, scanner),
            )
            for scanner in present
        )
    except OSError as error:
        return Unknown(f"{error.filename}: {error.strerror}")


def _runs(scanner: Scanner) -> Maybe[bool]:
    """Look for a process that runs the daemon's file: its own name for itself proves nothing."""
    if not scanner.daemons:
        return NO_DAEMON
    closed = False
    for entry in names(_RUNNING, "proc"):
        if entry.isdecimal():
            try:
                program = os.readlink(f"/proc/{entry}/exe")  # noqa: PTH115 - a magic link
            except PermissionError:
                closed = True
                continue
            except OSError:
                continue  # a kernel thread, or it ended
            if program.removesuffix(" (deleted)").rpartition("/")[2] in scanner.daemons:
                return True
    return refused() if closed else False


def _updated(root: Path, scanner: Scanner) -> Maybe[datetime | None]:
    """Say when the signatures were made or fetched; None where there are none."""
    if scanner.signatures is None:
        return NOT_TOLD
    try:
        return max(_times(root, scanner.signatures), default=None)
    except PermissionError:
        return refused()


def _times(root: Path, directory: str) -> Iterator[datetime]:
    for name in names(root, directory):
        path = resolve(root, f"{directory}/{name}")
        if not path.is_file():
            continue
        if directory != _CLAMAV:
            yield datetime.fromtimestamp(path.stat().st_mtime, UTC)
        elif name.endswith((".cvd", ".cld")):
            with path.open("rb") as file:
                built = parse_built(file.read(_HEADER_BYTES))
            yield built or datetime.fromtimestamp(path.stat().st_mtime, UTC)


def parse_built(header: bytes) -> datetime | None:
    """Return when a ClamAV database was built; None where the header does not tell."""
    match = _BUILT.match(header)
    if match is None:
        return None
    try:
        return datetime.strptime(match[1].decode(), "%d %b %Y %H-%M %z").astimezone(UTC)
    except ValueError:
        return None
