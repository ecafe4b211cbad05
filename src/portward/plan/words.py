"""Steps in the words of a person: what to type, how it is undone, and what must be true then."""

import shlex
from collections.abc import Callable
from typing import assert_never

from portward.backends import ufw
from portward.model.plan import (
    Change,
    Enabling,
    Install,
    LoadTable,
    Manage,
    ReloadUnit,
    Remove,
    SetFirewalld,
    SetSysctl,
    SetUfw,
    SetUnits,
    Step,
    UnitState,
    WriteFile,
    Zone,
)

_MOST_SETTINGS = 2
_VERBS = {Enabling.ENABLED: "enable", Enabling.DISABLED: "disable", Enabling.MASKED: "mask"}


def proofs(change: Change) -> tuple[str, ...]:
    """Say what must be true once a change is done; many settings are counted."""
    return _each(change, proof, "{} kernel settings have these values")


def undos(change: Change) -> tuple[str, ...]:
    """Say how a change is taken back."""
    return _each(change, undo, "{} kernel settings as they were")


def _each(change: Change, words: Callable[[Step], str], many: str) -> tuple[str, ...]:
    settings = [step for step in change.steps if isinstance(step, SetSysctl)]
    counted = settings if len(settings) > _MOST_SETTINGS else []
    found = dict.fromkeys(words(step) for step in change.steps if step not in counted)
    return (*found, *([many.format(len(counted))] if counted else []))


def commands(step: Step) -> tuple[str, ...]:  # noqa: C901, PLR0911 - one a kind of step
    """Return what does the same, as a person would type it; "write FILE" where that is text."""
    match step:
        case WriteFile(path=path, text=text):
            return (f"rm {path}" if text is None else f"write {path}",)
        case SetUnits(units=units):
            return tuple(line for unit in units for line in _systemctl(unit))
        case ReloadUnit(unit=unit):
            return (f"systemctl reload {unit}",)
        case SetSysctl(key=key, value=value):
            return (f"sysctl -w {key}={value}",)
        case LoadTable(rules=rules):
            return (
                "nft -f /etc/portward/firewall.nft" if rules else "nft delete table inet portward",
            )
        case Remove(packages=packages):
            return (shlex.join(["apt-get", "remove", *packages]),)
        case Install(packages=packages):
            return (shlex.join(["apt-get", "install", "--no-install-recommends", *packages]),)
        case Manage(commands=typed):
            return tuple(map(shlex.join, typed))
        case SetUfw(rules=rules):
            added = (shlex.join(["ufw", *ufw.typed(one)]) for one in rules)
            return (*added, "ufw default deny incoming", "# and every other rule is deleted")
        case SetFirewalld(zones=zones):
            return tuple(line for zone in zones for line in _zone(zone))
        case _:
            assert_never(step)


def undo(step: Step) -> str:  # noqa: C901, PLR0911 - one a kind of step
    """Say how a step is taken back."""
    match step:
        case WriteFile(path=path):
            return f"{path} as it was, byte by byte"
        case SetUnits(units=units):
            names = ", ".join(one.unit for one in units)
            return f"{names} as before: running or not, and how started"
        case ReloadUnit(unit=unit):
            return f"{unit} reads its configuration again"
        case SetSysctl(key=key):
            return f"{key} as it was"
        case LoadTable():
            return "the table inet portward as it was, or none"
        case Remove(packages=packages):
            return f"{', '.join(packages)} in the same versions"
        case Install(packages=packages):
            return f"{', '.join(packages)} removed again, where they were not there"
        case Manage(tool=tool):
            return f"the files of {tool} as they were, and taken by it again"
        case SetUfw():
            return "the rules and defaults of ufw as they were, its files byte by byte"
        case SetFirewalld():
            return "the zones of firewalld as they were, its files byte by byte"
        case _:
            assert_never(step)


def proof(step: Step) -> str:  # noqa: C901, PLR0911 - one a kind of step
    """Say what must be true once a step is done; apply reads it back."""
    match step:
        case WriteFile(path=path, text=text):
            return f"{path} is gone" if text is None else f"{path} has this text"
        case SetUnits(units=units):
            said: dict[str, list[str]] = {}
            for one in units:
                said.setdefault(_facts(one), []).append(one.unit)
            return "; ".join(f"{', '.join(names)}: {facts}" for facts, names in said.items())
        case ReloadUnit(unit=unit):
            return f"{unit} still runs"
        case SetSysctl(key=key, value=value):
            return f"{key} is {value}"
        case LoadTable():
            return "the kernel lists these rules, and who can reach each port is as promised"
        case Remove(packages=packages):
            return f"{', '.join(packages)} not installed"
        case Install(packages=packages):
            return f"{', '.join(packages)} installed"
        case Manage(tool=tool):
            return f"{tool} is not active"
        case SetUfw():
            return "ufw and the kernel list these rules, and no others"
        case SetFirewalld(zones=zones):
            names = ", ".join(one.name for one in zones)
            return f"firewalld lists just this in {names}, now and for boots"
        case _:
            assert_never(step)


def _zone(zone: Zone) -> tuple[str, ...]:
    """Return the commands for what is kept; those for what is at work are alike."""
    words = ["firewall-cmd", "--permanent", f"--zone={zone.name}"]
    added = [
        *(f"--add-port={one}" for one in zone.ports),
        *(f"--add-protocol={one}" for one in zone.protocols),
        *(f"--add-rich-rule={one}" for one in zone.rules),
    ]
    lines = (shlex.join([*words, option]) for option in added)
    return (*lines, f"# and nothing else is left in the zone {zone.name}")


def _facts(state: UnitState) -> str:
    facts = {True: ["active"], False: ["not active"], None: []}[state.active]
    return ", ".join([*facts, *([str(state.enabling)] if state.enabling else [])])


def _systemctl(step: UnitState) -> tuple[str, ...]:
    words = []
    if step.enabling is not None:
        verb = _VERBS[step.enabling]
        now = step.active is (step.enabling == Enabling.ENABLED)
        words.append(f"systemctl {verb} {'--now ' if now else ''}{step.unit}")
        if now:
            return tuple(words)
    if step.active is not None:
        words.append(f"systemctl {'start' if step.active else 'stop'} {step.unit}")
    return tuple(words)
