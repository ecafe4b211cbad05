"""How to close what is open, in the exact words of this machine."""

from portward.advice.groups import Group
from portward.advice.removing import instead
from portward.advice.software import reload_inetd
from portward.advice.stopping import stop_units
from portward.model.case import Case
from portward.model.finding import Remedy
from portward.model.host import InetdLine, Kernel, Listener, Process, Unit
from portward.model.net import is_loopback
from portward.model.service import Service
from portward.model.unknown import Unknown

SSH = "ssh"
"""The one service that no advice may stop: it may be the way in for whoever reads it."""


def close(group: Group, case: Case) -> Remedy:
    """Say how to close all ports of a group without harm to what the policy allows."""
    listener = group.first
    if group.service and group.service.name == SSH:
        return _keep_ssh()
    if isinstance(listener.container, str):
        return republish(listener.container)
    if listener.inetd:
        return leave_inetd(listener.inetd, case)
    shared = allowed_besides(group, case)
    if shared:
        return Remedy(
            summary=f"Take {', '.join(group.ports)} out of the configuration of {group.owner};"
            f" it also holds {', '.join(shared)}, which the policy allows, so it must keep running."
        )
    units = units_behind(group, case)
    if units:
        return stop(units, case, listener, group.service)
    return _stop_program(listener)


def stop(
    units: tuple[str, ...], case: Case, listener: Listener | None, service: Service | None
) -> Remedy:
    """Stop units for good, with all that would start them again."""
    user = listener.unit_user if listener else None
    summary, commands = stop_units(units, case.snapshot.units, user)
    package = listener.package if listener else _package(units[0], case)
    summary += instead(package, case)
    local = listener is not None and is_loopback(listener.address)
    if not local and (bind := bind_hint(service, package, case)):
        summary += f" To open less instead: {bind}"
    return Remedy(summary=summary, commands=commands)


def leave_inetd(line: InetdLine, case: Case) -> Remedy:
    """Switch off one service of the super-server and leave the others."""
    if "xinetd" in line.file:
        edit = f'Set "disable = yes" for {line.service} in {line.file} (line {line.line}).'
        return Remedy(summary=edit, commands=("systemctl reload xinetd.service",))
    edit = f"Put a # before line {line.line} of {line.file}, the service {line.service}."
    installed = package_names(case)
    commands = [f"update-inetd --disable {line.service}"] if "update-inetd" in installed else []
    summary = edit + instead(line.package, case)
    return Remedy(summary=summary, commands=(*commands, reload_inetd(case.snapshot.units)))


def republish(container: str) -> Remedy:
    """Publish a container's port where only this host reaches it."""
    return Remedy(
        summary=f"Start container {container} again with its port published on this host only,"
        " such as 127.0.0.1:8080:80, or without a published port; or filter it where its packets"
        " pass, in the forward path (for Docker: the chain DOCKER-USER).",
        caution="Rules for incoming packets (the input path, ufw) do not see published ports.",
    )


def bind_hint(service: Service | None, package: object, case: Case) -> str:
    """Say which line makes the service listen on this host only; empty where none is known."""
    if service is None or not service.bind:
        return ""
    installed = package_names(case)
    ours = [one for one in service.bind if one.program == package]
    ours = ours or [one for one in service.bind if one.program in installed]
    if not ours:
        return ""
    setting = ours[0].setting.replace("{address}", "127.0.0.1").replace("\n", '" and "')
    return f'write "{setting}" in {ours[0].file} and restart it.'


def package_names(case: Case) -> frozenset[str]:
    """Names of all installed packages; empty where they are not known."""
    known = case.snapshot.packages
    return frozenset() if isinstance(known, Unknown) else frozenset(one.name for one in known)


def _keep_ssh() -> Remedy:
    return Remedy(
        summary='Say in the policy who needs it: [[allow]] service = "ssh", from = "admin", with'
        " the networks of the administrators under [networks]; then let only those in.",
        caution="SSH may be your own way in. Keep this session open until a second one works.",
    )


def _stop_program(listener: Listener) -> Remedy:
    process = listener.process
    if isinstance(process, Process):
        exe = process.exe if isinstance(process.exe, str) else process.name
        return Remedy(
            summary=f"Find out who started {exe} (user {process.user or process.uid}, no unit does)"
            " and what starts it again (cron, a login script), and stop it there."
        )
    if isinstance(process, Kernel):
        return Remedy(summary=f"Switch off what makes the kernel listen: {process.name}.")
    return Remedy(
        summary=f"Find out who holds the port; portward could not: {process.reason}."
        if isinstance(process, Unknown)
        else "Find out what opened the port: no process holds it any more."
    )


def allowed_besides(group: Group, case: Case) -> tuple[str, ...]:
    """Ports that the same owner holds and that a person wants."""
    here = set(map(id, group.exposures))
    unit = group.first.unit
    if not isinstance(unit, str):
        return ()
    others = (
        one.listener
        for one in case.exposures
        if one.allowance and id(one) not in here and one.listener.unit == unit
    )
    return tuple(dict.fromkeys(f"{one.port}/{one.protocol}" for one in others))


def units_behind(group: Group, case: Case) -> tuple[str, ...]:
    """Units whose end closes the ports: the listeners' own, else the catalogue's that exist."""
    own = dict.fromkeys(
        name
        for one in group.exposures
        for name in (one.listener.activates, one.listener.unit)
        if isinstance(name, str) and not name.endswith((".scope", ".slice"))
    )
    if own or not (group.service and isinstance(group.first.process, Kernel)):
        return tuple(own)
    named = {*group.service.debian.units, *group.service.fedora.units}
    return tuple(unit.name for unit in _known(case) if unit.name in named)


def _known(case: Case) -> tuple[Unit, ...]:
    units = case.snapshot.units
    return () if isinstance(units, Unknown) else units


def _package(name: str, case: Case) -> str | None:
    packages = (unit.package for unit in _known(case) if unit.name == name)
    return next((package for package in packages if isinstance(package, str)), None)
