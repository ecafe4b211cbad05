"""The names that a system itself has for ports, from its services(5) file, read at run time."""

import os
import stat
from pathlib import Path

from portward.model.net import MAX_PORT, Protocol

SERVICES = ("etc/services", "usr/etc/services")
"""The administrator's file, and the distributor's where /usr/etc exists (openSUSE)."""
MAX_BYTES = 4 << 20
"""Four times the longest registry that systems ship; a longer file is not read."""

_PROTOCOLS = frozenset(Protocol)


def parse(text: str) -> dict[str, str]:
    """Return the name of each port, as in "22/tcp": "ssh"; the first line of a port counts.

    Lines that services(5) does not describe are passed over, as the C library does.
    """
    names: dict[str, str] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split(maxsplit=2)
        if len(words) < 2:  # noqa: PLR2004 - a name and a port
            continue
        number, _, protocol = words[1].partition("/")
        if number.isascii() and number.isdigit() and protocol in _PROTOCOLS:
            port = int(number[:6])
            if 0 < port <= MAX_PORT:
                names.setdefault(f"{port}/{protocol}", words[0])
    return names


def read(root: Path) -> dict[str, str]:
    """Return the names that the system below root has; none where it has no readable file.

    Names only decorate a number, so their absence is no failure. A link that leads out of the
    root is not followed: it would show another system's names.
    """
    base = root.resolve()
    for relative in SERVICES:
        path = (base / relative).resolve()
        if path.is_relative_to(base):
            try:
                return parse(_text(path))
            except OSError:
                continue
    return {}


def _text(path: Path) -> str:
    """Read a regular file of at most MAX_BYTES; raise OSError for anything else."""
    # O_NONBLOCK: a FIFO in an image must not make us wait.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - opens a descriptor, not a path
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_BYTES:
            raise OSError("no regular file of a reasonable size")
        return file.read(MAX_BYTES).decode(errors="replace")
