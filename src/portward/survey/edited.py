"""The configuration files that a plan may edit, as they are."""

from collections.abc import Iterable
from pathlib import Path

from portward.survey import files

PATHS = (
    "/etc/inetd.conf",
    "/etc/portward/firewall.nft",
    "/etc/portward/through",
    "/etc/default/ufw",
    "/etc/ufw/user.rules",
    "/etc/ufw/user6.rules",
    "/etc/sysctl.d/zz-portward.conf",
    "/etc/apt/apt.conf.d/20auto-upgrades",
    "/etc/dnf/automatic.conf",
    "/etc/systemd/system/portward-firewall.service",
)
_ZONES = "/etc/firewalld/zones/"
_MAX_BYTES = 16 << 20
"""The rules for 100,000 networks take 4 MiB."""


def edited(root: Path, more: Iterable[str] = ()) -> dict[str, str]:
    """Return the text of each of these files that is there and can be read."""
    found = {}
    for path in dict.fromkeys((*PATHS, *_zones(root), *more)):
        try:
            found[path] = files.read_bytes(root, path, _MAX_BYTES).decode()
        except (OSError, UnicodeDecodeError):
            continue  # what is not there is written anew, what is no text is never edited
    return found


def _zones(root: Path) -> list[str]:
    """Name the zones of firewalld that are not as it came."""
    try:
        return [_ZONES + name for name in files.names(root, _ZONES) if name.endswith(".xml")]
    except OSError:
        return []
