"""How the person at this terminal came in, so that no plan locks the door behind him."""

import os
from pathlib import Path
from typing import NamedTuple

_VARIABLE = "SSH_CONNECTION"
_PARTS = 4
_MOST_PARENTS = 64


class Connection(NamedTuple):
    """The four words of SSH_CONNECTION (ssh(1))."""

    source: str
    source_port: int
    destination: str
    port: int


def connection() -> Connection | None:
    """Return the SSH connection of this session; None where it did not come by SSH.

    sudo takes the variable away, so the processes above are asked as well; only root may.
    """
    for environment in _environments():
        found = parse(environment.get(_VARIABLE, ""))
        if found:
            return found
    return None


def parse(text: str) -> Connection | None:
    """Read the four words; None for anything else (pure)."""
    words = text.split()
    if len(words) != _PARTS or not (words[1].isdigit() and words[3].isdigit()):
        return None
    # An address of an IPv6 link has its interface behind it.
    source, destination = (word.partition("%")[0] for word in (words[0], words[2]))
    return Connection(source, int(words[1]), destination, int(words[3]))


def _environments() -> list[dict[str, str]]:
    """Return the environment of this process and of all that are above it."""
    found = [dict(os.environ)]
    pid = os.getppid()
    for _ in range(_MOST_PARENTS):
        if pid <= 1:
            break
        try:
            place = Path("/proc", str(pid))
            text = (place / "environ").read_bytes().decode(errors="replace")
            stat = (place / "stat").read_text(errors="replace")
        except OSError:
            break
        found.append(dict(word.split("=", 1) for word in text.split("\0") if "=" in word))
        # The name stands in parentheses and may have any character; the parent is second after it.
        pid = int(stat.rpartition(")")[2].split()[1])
    return found
