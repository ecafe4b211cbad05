"""Finds unit files where systemd looks for them, for a running machine and for an image."""

# ruff: noqa: PTH115, PTH116 - hundreds of calls
import os
import stat
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from portward.survey import files
from portward.survey.unit_files import Settings, template

_SYSTEM = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
_USER = (
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
    "/lib/systemd/user",
)
_VENDOR = ("/usr/", "/lib/")
MAX_UNITS = 20_000
MAX_UNIT_BYTES = 1 << 20


class UnitTree:
    """The directories of one systemd manager (systemd.unit(5)); the first that has a name wins.

    Making one lists the directories and reads no file.
    """

    def __init__(self, root: Path, directories: tuple[str, ...]) -> None:
        """List the directories; one that is closed to us raises OSError."""
        self.root = root
        self.files: dict[str, str] = {}
        """Name of a unit to the path of its file."""
        self._drop_ins: dict[str, list[str]] = {}
        self._links: list[str] = []
        seen = set()
        for directory in directories:
            # /lib is /usr/lib on merged systems: the same directory must not count twice.
            real = files.canonical(root, directory)
            if real in seen:
                continue
            seen.add(real)
            for name in files.names(root, directory)[:MAX_UNITS]:
                path = f"{directory}/{name}"
                if name.endswith(".d"):
                    self._drop_ins.setdefault(name, []).append(path)
                elif name.endswith((".wants", ".requires", ".upholds")):
                    self._links.append(path)
                else:
                    self.files.setdefault(name, path)

    @cached_property
    def wanted(self) -> dict[str, list[str]]:
        """Names of units to the .wants and .requires directories that have a link to them."""
        found: dict[str, list[str]] = {}
        for directory in self._links:
            for name in files.names(self.root, directory):
                found.setdefault(name, []).append(directory)
        return found

    def file(self, name: str) -> str | None:
        """Return the path of a unit's file, for an instance its template's."""
        path = self.files.get(name)
        if path is None and (general := template(name)):
            path = self.files.get(general)
        return path

    def target(self, name: str) -> str | None:
        """Return what a unit's file links to, as written; None where it is no link."""
        path = self.files.get(name)
        return _link(self.root, path) if path else None

    def masked(self, name: str) -> bool:
        """Say whether a unit is forbidden to start: a link to /dev/null or an empty file."""
        path = self.files.get(name)
        if path is None:
            return False
        if _link(self.root, path) == "/dev/null":
            return True
        try:
            facts = os.stat(files.locate(self.root, path))
        except OSError:
            return False
        return stat.S_ISREG(facts.st_mode) and facts.st_size == 0

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Other names of units, each with the name of the file that it links to."""
        found = {}
        for name, path in self.files.items():
            target = _link(self.root, path)
            end = target.rpartition("/")[2] if target else name
            if end != name and end.rpartition(".")[2] == name.rpartition(".")[2]:
                found[name] = end
        return found

    @cached_property
    def enabled_by(self) -> dict[str, list[str]]:
        """Unit to the links that an administrator or a package's script made to start it.

        Links that come with the system itself (below /usr) are part of a static unit.
        """
        found = {
            name: [f"{directory}/{name}" for directory in directories]
            for name, directories in self.wanted.items()
        }
        for instance in self.wanted:
            if general := template(instance):
                found.setdefault(general, []).extend(found[instance])
        for alias, name in self.aliases.items():
            found.setdefault(name, []).append(self.files[alias])
        return {
            name: made
            for name, links in found.items()
            if (made := [link for link in links if not link.startswith(_VENDOR)])
        }

    def settings(self, name: str) -> Settings:
        """Read a unit with its drop-ins; what cannot be read counts as empty."""
        path = self.file(name)
        paths = [path] if path else []
        return Settings(*self._texts([*paths, *self._drop_in_files(name)]))

    def _drop_in_files(self, name: str) -> list[str]:
        """List drop-ins by file name; the same name in an earlier directory hides a later one."""
        kind = name.rpartition(".")[2]
        chosen: dict[str, str] = {}
        for folder in (f"{name}.d", f"{template(name) or ''}.d", f"{kind}.d"):
            for directory in self._drop_ins.get(folder, ()):
                for entry in files.names(self.root, directory):
                    if entry.endswith(".conf"):
                        chosen.setdefault(entry, f"{directory}/{entry}")
        return [chosen[entry] for entry in sorted(chosen)]

    def _texts(self, paths: list[str]) -> Iterator[str]:
        for path in paths:
            try:
                yield files.read_text(self.root, path, MAX_UNIT_BYTES)
            except OSError:
                continue


def system(root: Path) -> UnitTree:
    """Return the tree of the system's manager."""
    return UnitTree(root, _SYSTEM)


def user(root: Path, home: str | None = None) -> UnitTree:
    """Return the tree of users' managers: of every user, or of one with this home."""
    return UnitTree(root, (f"{home}/.config/systemd/user", *_USER) if home else _USER)


def _link(root: Path, path: str) -> str | None:
    """Read a symbolic link itself: only the directories before it are followed."""
    directory, _, name = path.rpartition("/")
    try:
        return files.decoded(os.readlink(f"{files.locate(root, directory)}/{name}".encode()))
    except OSError:
        return None
