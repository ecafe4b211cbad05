"""Packages that are installed."""

from msgspec import Struct

from portward.apply import packages
from portward.apply.tools import run
from portward.model.plan import Install

_SECONDS = 600


class Saved(Struct, frozen=True, kw_only=True, tag="install", tag_field="of"):
    """The names of all packages that were there."""

    there: tuple[str, ...]


def save(_step: Install) -> Saved:
    """List what is installed."""
    return Saved(there=tuple(packages.installed()))


def do(step: Install, _saved: Saved) -> None:
    """Install them."""
    words = ("--yes", "--no-install-recommends", "--", *step.packages)
    run("apt-get", "install", *words, seconds=_SECONDS)


def undo(_step: Install, saved: Saved) -> None:
    """Purge what has come with them."""
    new = [name for name in packages.installed() if name not in set(saved.there)]
    if new:
        packages.purge(new)


def holds(step: Install) -> str | None:
    """Ask dpkg."""
    missing = [name for name in step.packages if name not in packages.installed()]
    return f"{', '.join(missing)} not installed" if missing else None
