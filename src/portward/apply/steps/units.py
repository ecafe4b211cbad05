"""Units of systemd: whether they run, and what starts them."""

import re
from pathlib import Path

from msgspec import Struct

from portward.apply import disk
from portward.apply.systemd import RUNNING, facts, start, systemctl
from portward.model.plan import Enabling, SetUnits, UnitState

_UNITS = Path("/etc/systemd/system")
_RUNLEVELS = re.compile(r"rc[0-6S]\.d")
_VERBS = {Enabling.ENABLED: "enable", Enabling.DISABLED: "disable", Enabling.MASKED: "mask"}
_GONE = "not-found"


class Saved(Struct, frozen=True, kw_only=True, tag="units", tag_field="of"):
    """Every link that starts or masks a unit, and which ran of the units that are told to."""

    links: dict[str, str]
    """Path of each link below the folders of systemd and of SysV, and its target."""
    running: tuple[str, ...]


def save(step: SetUnits) -> Saved:
    """Read the links and the states."""
    told = (one.unit for one in step.units if one.active is not None)
    running = (unit for unit in told if _runs(unit))
    return Saved(links=links(), running=tuple(running))


def do(step: SetUnits, _saved: Saved) -> None:
    """Enable, disable or mask first, so that nothing starts what is stopped then."""
    # A unit that an earlier step has written is not known yet.
    systemctl("daemon-reload")
    wanted = [one.unit for one in step.units if one.enabling == Enabling.ENABLED]
    if masked := [unit for unit in wanted if facts(unit).get("UnitFileState") == Enabling.MASKED]:
        systemctl("unmask", "--", *masked)
    for enabling, verb in _VERBS.items():
        names = [one.unit for one in step.units if one.enabling == enabling and _exists(one)]
        if names:
            systemctl(verb, "--", *names)
    stopped = [one.unit for one in step.units if one.active is False and _exists(one)]
    _stop(stopped)
    start(*(one.unit for one in step.units if one.active))


def undo(step: SetUnits, saved: Saved) -> None:
    """Stop what did not run, put back the links that differ, and start together what ran.

    In this order: a timer that is masked while it runs fails.
    """
    told = [one.unit for one in step.units if one.active is not None]
    _stop([unit for unit in told if unit not in saved.running and _runs(unit)])
    restore_links(saved.links)
    systemctl("daemon-reload")
    start(*saved.running)


def holds(step: SetUnits) -> str | None:
    """Read the states back."""
    return next((why for one in step.units if (why := _wrong(one))), None)


def links() -> dict[str, str]:
    """Return every link by which systemd and SysV's runlevels start units, and its target."""
    folders = [_UNITS, *(one for one in Path("/etc").iterdir() if _RUNLEVELS.fullmatch(one.name))]
    return {
        str(path): str(path.readlink())
        for folder in folders
        if folder.is_dir()
        for path in folder.rglob("*")
        if path.is_symlink()
    }


def restore_links(before: dict[str, str]) -> None:
    """Put back the links that differ from what links() once returned."""
    now = links()
    for path in sorted({*before, *now}):
        if before.get(path) != now.get(path):
            _restore(Path(path), before.get(path))


def _restore(path: Path, target: str | None) -> None:
    disk.remove(path)
    folder = path.parent
    if target is not None:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.symlink_to(target)
        disk.sync_directory(folder)
    elif folder != _UNITS and folder.parent == _UNITS and not any(folder.iterdir()):
        folder.rmdir()  # as systemctl does with a folder of wants that it has emptied


def _wrong(state: UnitState) -> str | None:
    found = facts(state.unit)
    if found.get("LoadState") == _GONE and state.active is not True:
        return None
    active = found.get("ActiveState") in RUNNING
    if state.active is not None and active != state.active:
        return f"{state.unit} is {found.get('ActiveState')}"
    how = found.get("UnitFileState", "")
    if state.enabling is not None and how != state.enabling:
        return f"{state.unit} is {how or 'not enabled'}, not {state.enabling}"
    return None


def _exists(state: UnitState) -> bool:
    return facts(state.unit).get("LoadState") != _GONE


def _runs(unit: str) -> bool:
    return facts(unit).get("ActiveState") in RUNNING


def _stop(units: list[str]) -> None:
    """Stop units, and forget that one was killed for it or is masked by now."""
    if not units:
        return
    systemctl("stop", "--", *units)
    failed = [unit for unit in units if facts(unit).get("ActiveState") == "failed"]
    if failed:
        systemctl("reset-failed", "--", *failed)
