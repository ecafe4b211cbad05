"""How to stop units so that nothing starts them again, whatever brought them."""

import re
from collections.abc import Iterable

from portward.model.host import Unit
from portward.model.unknown import Maybe, Unknown

_CANNOT_DISABLE = ("static", "indirect", "generated", "linked-runtime", "enabled-runtime")
"""UnitFileState values (systemctl(1)) of units that no link below /etc starts."""

_OF_SYSTEMD_RUN = re.compile(r"run-(u?\d+|r[0-9a-f]{32}|p\d+-i\d+)\.(service|timer|socket|path)")
"""Names that systemd-run(1) gives; of a user's own manager no file tells."""


def stop_units(
    units: tuple[str, ...], known: Maybe[tuple[Unit, ...]], user: str | None = None
) -> tuple[str, tuple[str, ...]]:
    """Say how to stop units and what would start them again: in words, and what to type.

    user: whose own manager has them; None for the system's.
    """
    everything, by_name = with_triggers(units, known), _by_name(known)
    passing = [name for name in everything if _is_transient(name, by_name)]
    made = [name for name in everything if name not in passing and _source(name, by_name)]
    rest = [name for name in everything if name not in {*passing, *made}]
    fixed = [name for name in rest if _state(name, by_name) in _CANNOT_DISABLE]
    plain = [name for name in rest if name not in fixed]
    manager = f"systemctl --user --machine={user}@.host" if user else "systemctl"
    words = [f"Stop {units[0]} and keep it from starting again."] if rest else []
    words += [_of_passing(passing)] * bool(passing)
    words += [f"Take {name} out of {_source(name, by_name)}, which starts it." for name in made]
    commands = [f"{manager} disable --now {' '.join(plain)}"] if plain else []
    commands += [f"{manager} mask --now {' '.join(fixed)}"] if fixed else []
    commands += [f"{manager} stop {' '.join(passing + made)}"] if passing or made else []
    commands += [f"{manager} daemon-reload"] if made else []
    return " ".join(words), tuple(commands)


def with_triggers(units: Iterable[str], known: Maybe[tuple[Unit, ...]]) -> list[str]:
    """Add what would start the units again: sockets, paths, timers, the unit of all instances."""
    by_name = _by_name(known)
    everything = dict.fromkeys(units)
    shared = map(of_all_instances, tuple(everything))
    everything |= dict.fromkeys(name for name in shared if name in by_name)
    for name in tuple(everything):
        if name in by_name:
            everything |= dict.fromkeys(by_name[name].triggered_by)
    return list(everything)


def of_all_instances(unit: str) -> str:
    """Return the unit that starts all instances of a template, as Debian's postgresql.service."""
    name, at, instance = unit.partition("@")
    return f"{name}.{instance.rpartition('.')[2]}" if at else unit


def _of_passing(names: list[str]) -> str:
    one = len(names) == 1
    return (
        f"Stop {', '.join(names)}, which {'was' if one else 'were'} started by hand or by another"
        f" program (systemd-run) and {'is' if one else 'are'} gone after that and after a boot;"
        f" find out what started {'it' if one else 'them'}."
    )


def _is_transient(name: str, known: dict[str, Unit]) -> bool:
    """Say whether a unit lives in memory only; systemd-run names a timer as what it starts."""
    stem = name.rpartition(".")[0]
    return (
        _state(name, known) == "transient"
        or bool(_OF_SYSTEMD_RUN.fullmatch(name))
        or (name not in known and _state(f"{stem}.service", known) == "transient")
    )


def _source(name: str, known: dict[str, Unit]) -> str | None:
    """Return the file that a generator made a unit from, or that starts what the unit holds."""
    unit = known.get(name)
    if unit is None:
        return None
    return unit.file if unit.manager == "rc" else unit.source


def _state(name: str, known: dict[str, Unit]) -> str:
    return known[name].state if name in known else ""


def _by_name(known: Maybe[tuple[Unit, ...]]) -> dict[str, Unit]:
    return {} if isinstance(known, Unknown) else {unit.name: unit for unit in known}
