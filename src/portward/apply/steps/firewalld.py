"""firewalld, which stays in charge and whose zones are told what to let in.

What is at work and what is kept for boots are told the same, so firewalld need not load its files
again: that would flush the rules that others, such as docker, have in iptables.
"""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from portward.apply import disk, others
from portward.apply.systemd import start
from portward.apply.tools import attempt, has_systemd, run
from portward.model.errors import ApplyError
from portward.model.plan import SetFirewalld, Zone

_FILES = Path("/etc/firewalld")
_UNIT = "firewalld.service"
_KINDS = {
    "services": "service",
    "ports": "port",
    "protocols": "protocol",
    "source-ports": "source-port",
    "forward-ports": "forward-port",
    "rich rules": "rich-rule",
}
"""What firewall-cmd lists of a zone, and the word that adds and removes it."""
_ON = "yes"
_MOST_AT_ONCE = 100


class Lets(Struct, frozen=True, kw_only=True):
    """What one zone lets in, as firewalld lists it."""

    zone: str
    target: str
    forward: bool
    """Between interfaces of the zone."""
    held: dict[str, tuple[str, ...]]


class Saved(Struct, frozen=True, kw_only=True, tag="firewalld", tag_field="of"):
    """Its files, what its zones let in, and what it would wipe of others."""

    files: tuple[disk.Saved, ...]
    active: bool
    kept: tuple[Lets, ...]
    at_work: tuple[Lets, ...]
    others: tuple[str, ...]


def save(step: SetFirewalld) -> Saved:
    """Read its files, and ask it about each zone."""
    active = _is_active()
    names = [one.name for one in step.zones] if active else []
    return Saved(
        files=disk.save_tree(_FILES),
        active=active,
        kept=tuple(_lets(name, kept=True) for name in names),
        at_work=tuple(_lets(name, kept=False) for name in names),
        others=others.rules(),
    )


def do(step: SetFirewalld, saved: Saved) -> None:
    """Tell it what each zone lets in, for boots and now."""
    if not _is_active():
        raise ApplyError("firewalld is not active any more", mend=f"start {_UNIT}")
    wanted = [_wanted(one, _lets(one.name, kept=True)) for one in step.zones]
    for one in wanted:
        _set(one, kept=True)
    _tell_now(wanted, saved)


def undo(_step: SetFirewalld, saved: Saved) -> None:
    """Tell it what was there, and put its files back."""
    if saved.active and _is_active():
        for before in saved.kept:
            _set(before, kept=True)
        _tell_now(saved.at_work, saved)
    disk.restore_tree(saved.files)
    if saved.active and not _is_active() and has_systemd():
        start(_UNIT)


def holds(step: SetFirewalld) -> str | None:
    """Ask it."""
    if not _is_active():
        return "firewalld is not active"
    for zone in step.zones:
        for kept in (True, False):
            found = _lets(zone.name, kept=kept)
            if _differ(found, _wanted(zone, found)):
                return f"the zone {zone.name} lets in something else{' after a boot' * kept}"
    return None


def _tell_now(wanted: Sequence[Lets], saved: Saved) -> None:
    """Change what is at work; the target of a zone alone takes that all is loaded again."""
    if any(_lets(one.zone, kept=False).target != one.target for one in wanted):
        run("firewall-cmd", "--reload")
        others.give_back(saved.others)
    for one in wanted:
        _set(one, kept=False)


def _set(wanted: Lets, *, kept: bool) -> None:
    """Add what is missing first, then remove what is not meant: the way in stays open."""
    found = _lets(wanted.zone, kept=kept)
    for kind, word in _KINDS.items():
        new = [one for one in wanted.held.get(kind, ()) if one not in found.held.get(kind, ())]
        _say(wanted.zone, f"--add-{word}=", new, kept=kept)
    if kept and found.target != wanted.target:
        run(*_command(wanted.zone, kept=kept), f"--set-target={wanted.target}")
    if found.forward != wanted.forward:
        word = "--add-forward" if wanted.forward else "--remove-forward"
        run(*_command(wanted.zone, kept=kept), word)
    for kind, word in _KINDS.items():
        old = [one for one in found.held.get(kind, ()) if one not in wanted.held.get(kind, ())]
        _say(wanted.zone, f"--remove-{word}=", old, kept=kept)


def _say(zone: str, option: str, values: list[str], *, kept: bool) -> None:
    for at in range(0, len(values), _MOST_AT_ONCE):
        some = values[at : at + _MOST_AT_ONCE]
        run(*_command(zone, kept=kept), *(option + one for one in some))


def _command(zone: str, *, kept: bool) -> tuple[str, ...]:
    return ("firewall-cmd", *(("--permanent",) if kept else ()), f"--zone={zone}")


def _wanted(zone: Zone, found: Lets) -> Lets:
    """Say what a zone shall let in; one that drops what is left rather than refuse it stays so."""
    return Lets(
        zone=zone.name,
        target="default" if found.target == "ACCEPT" else found.target,
        forward=False,
        held={"ports": zone.ports, "protocols": zone.protocols, "rich rules": zone.rules},
    )


def _differ(found: Lets, wanted: Lets) -> bool:
    return (found.target, found.forward) != (wanted.target, wanted.forward) or any(
        set(found.held.get(kind, ())) != set(wanted.held.get(kind, ())) for kind in _KINDS
    )


def _lets(zone: str, *, kept: bool) -> Lets:
    """Ask what a zone lets in: a line "name: values" each; rules stand below theirs, indented."""
    found: dict[str, list[str]] = {}
    kind = ""
    for line in run(*_command(zone, kept=kept), "--list-all").splitlines():
        if line.startswith("\t"):
            found.setdefault(kind, []).append(line.strip())
            continue
        kind, _, values = line.strip().partition(":")
        found.setdefault(kind, []).extend(values.split())
    return Lets(
        zone=zone,
        target=next(iter(found.get("target", ())), "default"),
        forward=found.get("forward", []) == [_ON],
        held={kind: tuple(found.get(kind, ())) for kind in _KINDS},
    )


def _is_active() -> bool:
    return attempt("firewall-cmd", "--state").returncode == 0
