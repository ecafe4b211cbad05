"""Packages that are removed with their configuration, which is saved before."""

from pathlib import Path

from msgspec import Struct

from portward.apply import disk, packages
from portward.apply.steps.units import links
from portward.apply.systemd import RUNNING, facts, start, systemctl
from portward.apply.tools import has_systemd
from portward.model.errors import ApplyError
from portward.model.plan import Purge

KEPT_DEBS = Path("/var/lib/portward/debs")
_CONFIGURATION = "/etc/"
_DATA = ("/var/lib/", "/var/spool/")
_MOST_BYTES = 64 << 20


class Saved(Struct, frozen=True, kw_only=True, tag="purge", tag_field="of"):
    """Everything that brings the packages back as they were."""

    packages: tuple[packages.Package, ...]
    trees: tuple[tuple[disk.Saved, ...], ...]
    """Their configuration and their data."""
    links: dict[str, str]
    running: tuple[str, ...]


def save(step: Purge) -> Saved:
    """Fetch the packages, read their configuration and data; ApplyError where it is too much."""
    places: dict[str, None] = {}
    units: list[str] = []
    for name in packages.installed(step.packages):
        owned = packages.files(name)
        units += packages.unit_names(owned)
        places |= dict.fromkeys(path for path in owned if _is_its_own(path, name))
    trees = tuple(disk.save_tree(Path(path)) for path in _topmost(places))
    size = sum(len(one.data or b"") for tree in trees for one in tree)
    if size > _MOST_BYTES:
        raise ApplyError(
            f"{', '.join(step.packages)} have {size >> 20} MiB of data, which a removal would take",
            mend="save the data and remove them by hand, or leave out --remove",
        )
    running = [unit for unit in units if has_systemd() and facts(unit)["ActiveState"] in RUNNING]
    return Saved(
        packages=packages.kept(step.packages, KEPT_DEBS),
        trees=trees,
        links=links(),
        running=tuple(running),
    )


def do(step: Purge, _saved: Saved) -> None:
    """Remove them."""
    packages.purge(step.packages)


def undo(_step: Purge, saved: Saved) -> None:
    """Install the same versions again, then put back configuration, data and states."""
    there = packages.installed()
    gone = [one for one in saved.packages if there.get(one.name, ("",))[0] != one.version]
    for tree in saved.trees:  # first, so that the packages find their configuration
        disk.restore_tree(tree)
    packages.install_files(gone)
    for tree in saved.trees:
        disk.restore_tree(tree)
    now = links()
    for path in sorted({*saved.links, *now}):
        if saved.links.get(path) != now.get(path):
            disk.remove(Path(path))
            if path in saved.links:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).symlink_to(saved.links[path])
    if has_systemd():
        systemctl("daemon-reload")
        start(*saved.running)


def holds(step: Purge) -> str | None:
    """Ask dpkg."""
    left = packages.installed(step.packages)
    return f"{', '.join(left)} still installed" if left else None


def _is_its_own(path: str, package: str) -> bool:
    """Say whether a path is configuration or data of one package alone."""
    if path.startswith(_CONFIGURATION):
        return Path(path).is_file() or Path(path).is_symlink() or package in path.split("/")
    return path.startswith(_DATA) and Path(path).is_dir() and path.count("/") > 2  # noqa: PLR2004 - below the folder of all


def _topmost(paths: dict[str, None]) -> list[str]:
    """Leave out what lies below another one."""
    found: list[str] = []
    for path in sorted(paths):
        if not found or not path.startswith(f"{found[-1]}/"):
            found.append(path)
    return found
