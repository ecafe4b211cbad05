"""Services of SysV init and rc.local, which systemd starts as well."""

# ruff: noqa: PTH116 - the place is a string, as everywhere in the survey
import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from portward.model.host import Unit
from portward.model.unknown import Maybe, Unknown
from portward.survey import files

SCRIPTS = "/etc/init.d/"
RC_LOCAL = ("/etc/rc.local", "/etc/rc.d/rc.local")
NOT_ASKED = Unknown("not asked for")
_LEVELS = ("/etc/rc2.d", "/etc/rc3.d", "/etc/rc4.d", "/etc/rc5.d", "/etc/rcS.d")
_START = re.compile(r"S\d\d(.+)")
_NO_SERVICES = frozenset(
    {"README", "functions", "halt", "killall", "rc", "rcS", "reboot", "single", "skeleton"}
)


def units(
    root: Path, native: Collection[str], package: Callable[[str], Maybe[str | None]]
) -> Iterator[Unit]:
    """Yield the scripts of /etc/init.d under the names that systemd gives them, and rc.local.

    A script is enabled where a runlevel starts it. Under systemd a unit of the same name takes
    the script's place (systemd-sysv-generator(8)), so scripts named in ``native`` are left out
    unless another init starts the machine.
    """
    started = _started(root)
    replaced = native if _systemd_boots(root) else ()
    for script in files.names(root, SCRIPTS):
        name = f"{script.removesuffix('.sh')}.service"
        path = SCRIPTS + script
        if script in _NO_SERVICES or name in replaced or not _executable(root, path):
            continue
        state = "enabled" if script in started else "disabled"
        yield _unit(name, "sysv", state, path, package(path))
    for path in RC_LOCAL:
        if _executable(root, path):
            yield _unit("rc-local.service", "rc", "enabled", path, package(path))
            return


def _unit(name: str, manager: str, state: str, file: str, package: Maybe[str | None]) -> Unit:
    return Unit(
        name=name, manager=manager, state=state, active=NOT_ASKED, file=file, package=package
    )


def _started(root: Path) -> set[str]:
    return {
        match[1]
        for level in _LEVELS
        for link in files.names(root, level)
        if (match := _START.fullmatch(link))
    }


def _executable(root: Path, path: str) -> bool:
    try:
        mode = os.stat(files.locate(root, path)).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def _systemd_boots(root: Path) -> bool:
    """Say whether systemd is the machine's init."""
    if root == Path("/") and files.exists(root, "/run/systemd/system"):
        return True  # sd_booted(3)
    return files.canonical(root, "/sbin/init").endswith("/systemd")
