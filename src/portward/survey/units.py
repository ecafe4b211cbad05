"""Services and sockets that start, or may be started, at boot: systemd's, SysV's and rc.local.

Read from the unit files, so that a machine and an image that never booted are read alike; what
runs now is a second question (active_units()).
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from portward.model.host import Unit
from portward.model.unknown import NEEDS_ROOT, Maybe, Unknown
from portward.survey import files, sysv, tools, unit_files, unit_tree
from portward.survey.unit_files import Settings
from portward.survey.unit_tree import UnitTree
from portward.survey.users import Users

NOT_ASKED = Unknown("not asked for")
NO_SYSTEMD = Unknown("systemd does not run here")
_KINDS = (".service", ".socket")
_TRIGGERS = (".socket", ".timer", ".path")
_INSTALL = ("WantedBy", "RequiredBy", "UpheldBy", "Alias")
_LIST_UNITS = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager"]
_TIMEOUT = 10
_COLUMNS = 4  # UNIT LOAD ACTIVE SUB

Packages = Callable[[str], Maybe[str | None]]


def units(root: Path, package: Packages) -> Maybe[tuple[Unit, ...]]:
    """Read every service and socket unit; ``package`` names the package of a path.

    ``active`` is not asked for here. A unit of users' managers is listed once, with the state it
    has for all of them, and again for each user who enabled or wrote it himself.
    """
    try:
        system = unit_tree.system(root)
        native = tuple(_units(system, "system", package))
        taken = {unit.name for unit in native}
        shared = tuple(_units(unit_tree.user(root), "user", package))
        own = tuple(_own(root, package, {unit.name: unit for unit in shared}))
        return (*native, *sysv.units(root, taken, package), *shared, *own)
    except PermissionError:
        return NEEDS_ROOT
    except OSError as error:
        return Unknown(f"unit files: {error.strerror}")


def _units(tree: UnitTree, manager: str, package: Packages) -> Iterator[Unit]:
    starters = _starters(tree)
    for name in sorted({*tree.files, *tree.wanted}):
        file = tree.file(name)
        if not name.endswith(_KINDS) or file is None:
            continue
        settings = tree.settings(name)
        if settings.last("Unit", "SourcePath").startswith(sysv.SCRIPTS):
            continue  # the generator's translation of a SysV script, which is listed itself
        found = state(tree, name, settings)
        source = settings.last("Unit", "SourcePath") if found == "generated" else ""
        yield Unit(
            name=name,
            manager=manager,
            state=found,
            active=NOT_ASKED,
            file=file,
            source=source or None,
            listens=tuple(value for _, value in unit_files.listens(settings)),
            triggers=(unit_files.activated(settings, name),) if name.endswith(".socket") else (),
            triggered_by=tuple(sorted(starters.get(name, ()))),
            package=_package(tree, file, package),
        )


def _starters(tree: UnitTree) -> dict[str, set[str]]:
    """Map each service to the socket, timer and path units that start it."""
    found: dict[str, set[str]] = {}
    for name in {*tree.files, *tree.wanted}:
        if name.endswith(_TRIGGERS) and tree.file(name):
            service = unit_files.activated(tree.settings(name), name)
            found.setdefault(service, set()).add(name)
    return found


def state(tree: UnitTree, name: str, settings: Settings) -> str:
    """Return UnitFileState in systemd's words (systemctl(1), is-enabled)."""
    file = tree.file(name) or ""
    runtime = "-runtime" if file.startswith("/run/") else ""
    links = tree.enabled_by.get(name, [])
    direct = [link for link in links if _own_name(link.rpartition("/")[2], name, settings)]
    answers = (
        (tree.masked(name), f"masked{runtime}"),
        ("/generator" in file, "generated"),
        ("/transient/" in file, "transient"),
        (name in tree.aliases, "alias"),
        (any(not link.startswith("/run/") for link in direct), "enabled"),
        (bool(direct), "enabled-runtime"),
        (bool(links), "indirect"),
        (tree.target(name) is not None, f"linked{runtime}"),
        (any(settings.all("Install", key) for key in _INSTALL), "disabled"),
        (bool(settings.all("Install", "Also")), "indirect"),
    )
    return next((word for true, word in answers if true), "static")


def _own_name(link: str, name: str, settings: Settings) -> bool:
    """Say whether a link bears a name that the unit's [Install] section gives it."""
    instance = settings.last("Install", "DefaultInstance")
    default = name.replace("@.", f"@{instance}.") if instance else name
    return link in {name, default, *settings.words("Install", "Alias")}


def _package(tree: UnitTree, file: str, package: Packages) -> Maybe[str | None]:
    try:
        return package(files.canonical(tree.root, file))
    except OSError as error:
        return Unknown(f"{file}: {error.strerror}")


def _own(root: Path, package: Packages, shared: dict[str, Unit]) -> Iterator[Unit]:
    """Read what users enabled or wrote below their own homes."""
    for user in Users(root).all:
        if not user.home.startswith("/") or user.home == "/":
            continue
        try:
            if not files.names(root, f"{user.home}/.config/systemd/user"):
                continue
            tree = unit_tree.user(root, user.home)
        except OSError:
            continue
        for unit in _units(tree, "user", package):
            common = shared.get(unit.name)
            if common is None or (common.state, common.file) != (unit.state, unit.file):
                yield unit


# --- what runs now --------------------------------------------------------------------------


def active_units(package: Packages) -> Maybe[tuple[Unit, ...]]:
    """Read the units of the running machine, and ask systemd which of the system's are active."""
    from msgspec.structs import replace  # noqa: PLC0415 - not on the way to the first screen

    found = units(Path("/"), package)
    if isinstance(found, Unknown):
        return found
    states = _states()
    return tuple(
        replace(unit, active=_state_of(unit, states)) if unit.manager != "user" else unit
        for unit in found
    )


def _state_of(unit: Unit, states: Maybe[dict[str, str]]) -> Maybe[str]:
    return states if isinstance(states, Unknown) else states.get(unit.name, "inactive")


def parse_list_units(text: str) -> dict[str, str]:
    """Read ``systemctl list-units --plain --no-legend``: unit to ActiveState."""
    rows = (line.split(None, _COLUMNS) for line in text.splitlines())
    return {row[0]: row[2] for row in rows if len(row) >= _COLUMNS}


def _states() -> Maybe[dict[str, str]]:
    if not files.exists(Path("/"), "/run/systemd/system"):  # sd_booted(3)
        return NO_SYSTEMD
    try:
        return parse_list_units(files.decoded(tools.output(_LIST_UNITS, seconds=_TIMEOUT)))
    except tools.ToolError as error:
        return Unknown(str(error))
