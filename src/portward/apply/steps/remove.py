"""Packages that are removed; their configuration and data stay on the disk.

They are not purged: what a package's own script deletes then (a database, keys, mail) cannot be
known before, so it could not be brought back.
"""

from pathlib import Path

from msgspec import Struct

from portward.apply import disk, packages
from portward.apply.steps.units import links, restore_links
from portward.apply.systemd import RUNNING, facts, start, systemctl
from portward.apply.tools import has_systemd
from portward.model.plan import Remove

KEPT_DEBS = Path("/var/lib/portward/debs")
_CONFIGURATION = "/etc/"


class Saved(Struct, frozen=True, kw_only=True, tag="remove", tag_field="of"):
    """Everything that brings the packages back as they were."""

    packages: tuple[packages.Package, ...]
    files: tuple[disk.Saved, ...]
    """Theirs below /etc, should a script take some of them away."""
    links: dict[str, str]
    running: tuple[str, ...]


def save(step: Remove) -> Saved:
    """Find or fetch the files that install them again; ApplyError where one cannot be had."""
    names = packages.installed(step.packages)
    owned = [path for name in names for path in packages.files(name)]
    units = packages.unit_names(owned) if has_systemd() else ()
    return Saved(
        packages=packages.kept(names, KEPT_DEBS),
        files=tuple(
            disk.save(Path(path))
            for path in owned
            if path.startswith(_CONFIGURATION) and not Path(path).is_dir()
        ),
        links=links(),
        running=tuple(unit for unit in units if facts(unit).get("ActiveState") in RUNNING),
    )


def do(step: Remove, _saved: Saved) -> None:
    """Remove them."""
    packages.remove(step.packages)


def undo(_step: Remove, saved: Saved) -> None:
    """Install the same versions again, then put back files, links and states."""
    there = packages.installed()
    gone = [one for one in saved.packages if there.get(one.name, ("",))[0] != one.version]
    packages.install_files(gone)
    for file in saved.files:
        disk.restore(file)
    restore_links(saved.links)
    if has_systemd():
        systemctl("daemon-reload")
        start(*saved.running)


def holds(step: Remove) -> str | None:
    """Ask dpkg."""
    left = packages.installed(step.packages)
    return f"{', '.join(left)} still installed" if left else None
