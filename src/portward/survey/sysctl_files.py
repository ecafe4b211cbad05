"""What the files of sysctl.d set, by the rules of systemd-sysctl (pure, no I/O).

sysctl.d(5); where the manual page is silent, as systemd 252 does it. Here a key is its path
below /proc/sys, since a name with dots is ambiguous: interfaces may have dots in theirs.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

_GLOB = re.compile(r"[*?\[]")
_SWAP = str.maketrans("./", "/.")

_WRITES_THROUGH = {
    "net/ipv4/ip_forward": ("net/ipv4/conf/*/forwarding",),
    "net/ipv4/conf/all/forwarding": ("net/ipv4/ip_forward", "net/ipv4/conf/*/forwarding"),
    "net/ipv6/conf/all/forwarding": ("net/ipv6/conf/*/forwarding",),
    "net/ipv6/conf/all/disable_ipv6": ("net/ipv6/conf/*/disable_ipv6",),
}
"""Keys that the kernel copies to others whenever they are written.

inet_forward_change() in net/ipv4/devinet.c, addrconf_fixup_forwarding() and addrconf_disable_ipv6()
in net/ipv6/addrconf.c. For every other key "all" changes nothing but itself.
"""


class Assignment(NamedTuple):
    """One line of a file."""

    path: str
    """The key as a path below /proc/sys, or a glob of such paths."""
    value: str | None
    """None: no glob shall set this key."""
    where: str
    """File and line."""


def path_of(key: str) -> str:
    """Turn a key as people write it, ``net.ipv4.ip_forward``, into its path below /proc/sys.

    The first separator decides: after a slash all is taken as it stands, after a dot the two
    are swapped, so that ``net.ipv4.conf.eth0/100.forwarding`` names the interface eth0.100.
    """
    separator = re.search(r"[./]", key)
    path = key.translate(_SWAP) if separator and separator[0] == "." else key
    return "/".join(part for part in path.split("/") if part not in {"", "."})


def dotted(path: str) -> str:
    """Turn a path below /proc/sys into the key with dots."""
    return path.translate(_SWAP)


def parse(text: str, file: str) -> list[Assignment]:
    """Read one file; lines that are no assignment are left out, as systemd-sysctl does."""
    found = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        key, assigned, value = line.partition("=")
        excluded = key.startswith("-")
        if not assigned and not excluded:
            continue
        path = path_of(key.removeprefix("-").strip())
        if path:
            where = f"{file}:{number}"
            found.append(Assignment(path, _spaced(value) if assigned else None, where))
    return found


def outcome(assignments: Iterable[Assignment], paths: Iterable[str]) -> dict[str, Assignment]:
    """Say for each of paths which assignment decides it; nothing sets the paths left out.

    assignments: in the order of reading. A repeated key takes effect at its last place, unless
    it only repeats the same value. A key that is named exactly is out of every glob's reach.
    """
    paths = tuple(paths)
    in_force: dict[str, Assignment] = {}
    for assignment in assignments:
        earlier = in_force.get(assignment.path)
        if earlier is None or earlier.value != assignment.value:
            in_force.pop(assignment.path, None)
            in_force[assignment.path] = assignment
    decided: dict[str, Assignment] = {}
    for assignment in in_force.values():
        if assignment.value is None:
            continue
        if _GLOB.search(assignment.path):
            written = [path for path in _matching(assignment.path, paths) if path not in in_force]
        else:
            written = [assignment.path]
        for path in written:
            decided[path] = assignment
            for copies in _WRITES_THROUGH.get(path, ()):
                decided.update(dict.fromkeys(_matching(copies, paths), assignment))
    return {path: decided[path] for path in paths if path in decided}


def _matching(glob: str, paths: Iterable[str]) -> list[str]:
    """List the paths that a glob(7) matches: a star never crosses a slash."""
    parts = glob.split("/")
    return [
        path
        for path in paths
        if path.count("/") == len(parts) - 1 and all(map(fnmatchcase, path.split("/"), parts))
    ]


def _spaced(value: str) -> str:
    """Write the fields of a value with one space between, whatever separates them."""
    return " ".join(value.split())
