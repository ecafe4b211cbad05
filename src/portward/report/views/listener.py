"""A listener as a program reads it."""

import shlex
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from portward.model import host
from portward.model.net import Family, Protocol
from portward.model.status import Basis, Exposure, Scope, Verdict
from portward.model.unknown import Unknown
from portward.report.views import UnknownFact, fact, says


class ProcessView(Struct, frozen=True, kw_only=True):
    """A process that holds a socket."""

    pid: Annotated[
        int, says("Process id, of the one that opened the socket where several hold it.")
    ]
    name: Annotated[str, says("The name that the process gives itself. Never trust it.")]
    exe: Annotated[str | UnknownFact, says("Path of the program.")]
    exe_state: Annotated[
        host.ExeState | UnknownFact,
        says(
            "What became of the file: present, deleted, replaced (another file has its path now),"
            " or memory (there never was a file)."
        ),
    ]
    cmdline: Annotated[
        str, says("Command line, quoted for a shell; values of secret options are `***`.")
    ]
    uid: Annotated[int, says("User id that the process runs as.")]
    user: Annotated[str | None, says("Name of that user; null where it has none.")]
    started: Annotated[datetime | None, says("When it started.")]
    sharers: Annotated[tuple[int, ...], says("Other processes that hold the same socket, by pid.")]


class KernelView(Struct, frozen=True):
    """The kernel itself holds the socket."""

    kernel: Annotated[str, says("What in the kernel: nfsd, lockd, wireguard.")]


class InetdView(Struct, frozen=True, kw_only=True):
    """The line of inetd or xinetd that opened the port."""

    file: Annotated[str, says("Configuration file.")]
    line: Annotated[int, says("Line of that file.")]
    service: Annotated[str, says("First word of the line.")]
    program: Annotated[str, says('Program that it starts, or "internal".')]
    user: Annotated[str, says("User that the program runs as.")]
    package: Annotated[str | UnknownFact | None, says("Package of the program.")]


class DeciderView(Struct, frozen=True, kw_only=True):
    """A rule, or a chain's policy, that decides who reaches a port."""

    interface: Annotated[str, says("By which the packets come in.")]
    lets_in: Annotated[bool, says("It lets somebody through; otherwise it keeps them out.")]
    rule: Annotated[str, says("In the words of the tool that wrote it.")]
    where: Annotated[str, says("Table, chain and handle: see nft -a list ruleset.")]


class ReachView(Struct, frozen=True, kw_only=True):
    """Who can reach a port."""

    scope: Annotated[
        Scope,
        says(
            "nobody, host (this machine only), networks (those listed), everyone, or unknown, which"
            " may be everyone."
        ),
    ]
    networks: Annotated[tuple[str, ...], says("The networks, where scope is networks.")]
    reason: Annotated[str, says("Why portward says so.")]
    decided_by: Annotated[
        tuple[DeciderView, ...],
        says("The rules that let those in; for nobody, those that keep everyone out."),
    ]


class AllowedByView(Struct, frozen=True, kw_only=True):
    """What in the policy allows a listener."""

    origin: Annotated[str, says('"role web-server", or file and line of the policy.')]
    sources: Annotated[str, says("From whom, in the policy's words.")]
    reason: Annotated[str, says("Why it is allowed.")]


_HOLDERS = (ProcessView, KernelView, UnknownFact)
_ANY_HOLDER = Meta(
    description=(
        "Who holds the socket: a process, the kernel, or unknown. null: portward looked everywhere"
        " and nobody holds it."
    ),
    extra_json_schema={
        "anyOf": [
            {"type": "null"},
            *({"$ref": f"#/$defs/{holder.__name__}"} for holder in _HOLDERS),
        ]
    },
)


class ListenerView(Struct, frozen=True, kw_only=True):
    """A port that takes packets nobody asked for."""

    protocol: Annotated[Protocol, says("tcp, udp, udplite, sctp, dccp, raw or packet.")]
    address: Annotated[str, says("Address it is bound to; empty for packet sockets.")]
    port: Annotated[
        int, says("Port; for raw the IP protocol number, for packet the EtherType, 0 for all.")
    ]
    family: Annotated[
        Family, says("ipv4, ipv6, dual (IPv6 that IPv4 reaches too) or link (packet sockets).")
    ]
    device: Annotated[str | None, says("Interface it is bound to.")]
    namespace: Annotated[str, says('Network namespace; "host" is portward\'s own.')]
    service: Annotated[str | None, says("Name in portward's catalogue; null: not recognised.")]
    recognised_by: Annotated[
        Basis | None,
        says(
            "What the service was recognised by, from strong to weak: unit, package, program,"
            " inetd, kernel, port. port alone is a guess."
        ),
    ]
    port_name: Annotated[str | None, says("Name of the port in /etc/services of the machine.")]
    process: Annotated[Any, _ANY_HOLDER]
    unit: Annotated[
        str | UnknownFact | None,
        says("systemd unit; the .socket unit where systemd holds the port."),
    ]
    unit_user: Annotated[str | None, says("User whose own manager runs the unit.")]
    activates: Annotated[str | None, says("Unit that the .socket unit starts.")]
    inetd: Annotated[InetdView | None, says("Line of inetd or xinetd that opened the port.")]
    package: Annotated[str | UnknownFact | None, says("Package that the program came with.")]
    container: Annotated[str | UnknownFact | None, says("Container it lives in.")]
    reach: Annotated[ReachView, says("Who can reach it.")]
    verdict: Annotated[
        Verdict,
        says(
            "What the policy says: allowed, not allowed, local (no role names it, but only this"
            " host reaches it), closed (no role names it, but nobody reaches it), inside (it"
            " lives in a network of its own) or unknown."
        ),
    ]
    allowed_by: Annotated[AllowedByView | None, says("What allows it; null: nothing does.")]


def view(exposure: Exposure, port_names: dict[str, str]) -> ListenerView:
    """Write a listener with all that is known of it."""
    listener, known, allowance = exposure.listener, exposure.recognition, exposure.allowance
    return ListenerView(
        protocol=listener.protocol,
        address=listener.address,
        port=listener.port,
        family=listener.family,
        device=listener.device,
        namespace=listener.namespace,
        service=known.service.name if known else None,
        recognised_by=known.basis if known else None,
        port_name=port_names.get(f"{listener.port}/{listener.protocol}"),
        process=_holder(listener),
        unit=fact(listener.unit),
        unit_user=listener.unit_user,
        activates=listener.activates,
        inetd=_inetd(listener.inetd) if listener.inetd else None,
        package=fact(listener.package),
        container=fact(listener.container),
        reach=ReachView(
            scope=exposure.reach.scope,
            networks=exposure.reach.networks,
            reason=exposure.reach.reason,
            decided_by=tuple(
                DeciderView(
                    interface=one.device,
                    lets_in=one.rule.lets_in,
                    rule=one.rule.words,
                    where=one.rule.where,
                )
                for one in exposure.reach.decided_by
            ),
        ),
        verdict=exposure.verdict,
        allowed_by=AllowedByView(
            origin=allowance.origin, sources=allowance.sources.label, reason=allowance.reason
        )
        if allowance
        else None,
    )


def _holder(listener: host.Listener) -> ProcessView | KernelView | UnknownFact | None:
    match listener.process:
        case host.Process() as process:
            state = process.exe_state
            return ProcessView(
                pid=process.pid,
                name=process.name,
                exe=UnknownFact(process.exe.reason)
                if isinstance(process.exe, Unknown)
                else process.exe,
                exe_state=UnknownFact(state.reason) if isinstance(state, Unknown) else state,
                cmdline=shlex.join(process.cmdline),
                uid=process.uid,
                user=process.user,
                started=process.started,
                sharers=process.sharers,
            )
        case host.Kernel() as kernel:
            return KernelView(kernel.name)
        case Unknown() as unknown:
            return UnknownFact(unknown.reason)
        case _:
            return None


def _inetd(line: host.InetdLine) -> InetdView:
    return InetdView(
        file=line.file,
        line=line.line,
        service=line.service,
        program=line.program,
        user=line.user,
        package=fact(line.package),
    )
