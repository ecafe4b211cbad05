"""The packages of Debian and its relatives: what is installed, and how it is installed again."""

import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from portward.apply.tools import attempt, run
from portward.model.errors import ApplyError

ARCHIVES = Path("/var/cache/apt/archives")
_FORMAT = "${db:Status-Status}\t${binary:Package}\t${Version}\t${Architecture}\n"
_SECONDS = 600


class Package(Struct, frozen=True, kw_only=True):
    """An installed package, and the file that installs it again."""

    name: str
    version: str
    architecture: str
    automatic: bool
    """It came as a dependency of another (apt-mark(8))."""
    file: str
    """Path of its .deb; "" where none is kept."""


def installed(names: Iterable[str] = ()) -> dict[str, tuple[str, str]]:
    """Return version and architecture of the installed packages, by name."""
    said = attempt("dpkg-query", "-W", f"-f={_FORMAT}", *names).stdout
    rows = (line.split("\t") for line in said.splitlines())
    return {
        row[1].partition(":")[0]: (row[2], row[3])
        for row in rows
        if len(row) == 4 and row[0] == "installed"  # noqa: PLR2004 - the fields of the format
    }


def kept(names: Iterable[str], folder: Path) -> tuple[Package, ...]:
    """Find or fetch the .deb of each package; ApplyError where one cannot be had."""
    found = installed(names)
    automatic = set(run("apt-mark", "showauto", *found).split())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tuple(
        Package(
            name=name,
            version=version,
            architecture=architecture,
            automatic=name in automatic,
            file=str(_deb(name, version, architecture, folder)),
        )
        for name, (version, architecture) in found.items()
    )


def _deb(name: str, version: str, architecture: str, folder: Path) -> Path:
    file = f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"
    if (ARCHIVES / file).exists():
        (folder / file).write_bytes((ARCHIVES / file).read_bytes())
    else:
        # apt leaves the file where it is called.
        attempt(
            "env", "-C", str(folder), "apt-get", "download", f"{name}={version}", seconds=_SECONDS
        )
    if not (folder / file).exists():
        raise ApplyError(
            f"{name} {version} could not be fetched, so its removal could not be undone",
            mend="give apt a source that has it, or leave out --remove",
        )
    return folder / file


def files(name: str) -> tuple[str, ...]:
    """Return every path that a package owns."""
    return tuple(run("dpkg-query", "-L", name).splitlines())


def unit_names(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the units of the system manager among paths."""
    pattern = re.compile(r"(?:/usr)?/lib/systemd/system/([^/]+\.(?:service|socket|path|timer))")
    return tuple(match[1] for path in paths if (match := pattern.fullmatch(path)))


def remove(names: Iterable[str]) -> None:
    """Remove packages, and nothing that the plan does not name; configuration and data stay."""
    run("dpkg", "--remove", *names, seconds=_SECONDS)


def purge(names: Iterable[str]) -> None:
    """Remove packages and all that they brought."""
    run("dpkg", "--purge", *names, seconds=_SECONDS)


def install_files(packages: Iterable[Package]) -> None:
    """Install packages again from their kept files, with the configuration that is there."""
    found = list(packages)
    if found:
        run(
            "dpkg",
            "--install",
            "--force-confold",
            *(one.file for one in found),
            seconds=_SECONDS,
        )
    for word, names in (
        ("auto", [one.name for one in found if one.automatic]),
        ("manual", [one.name for one in found if not one.automatic]),
    ):
        if names:
            run("apt-mark", word, *names)
