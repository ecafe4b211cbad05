"""From the records of probes to what a person is told of a host (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from portward.model.net import Protocol
from portward.model.scan import PortState, ScannedHost, ScannedPort
from portward.model.unknown import Unknown
from portward.scan import ports as words
from portward.scan.table import NO_TIME, Record, Table
from portward.scan.targets import written
from portward.scan.wire import Kind

LISTED = 25
"""Of a state other than open, no more ports than these get a line each."""
_FORGED_SHARE = 0.9
_ENOUGH_TO_JUDGE = 4

_STATES = {
    Kind.OPEN: PortState.OPEN,
    Kind.CLOSED: PortState.CLOSED,
    Kind.REFUSED: PortState.REFUSED,
    Kind.SILENT: PortState.FILTERED,
}
FORGED = (
    "something answers for every port alike, so open ports cannot be told: a SYN proxy that"
    " forges the answers, or a trap"
)
BARE = f"{FORGED}; the answers have no window or no options, which no program's own have"
RATIONED = "it rations its refusals, so that a closed port may count as filtered"
LOST = "packets were being lost to the last, so that silence proves nothing"


class Records(NamedTuple):
    """Where the records of a host are."""

    table: Table
    first: int


class Round(NamedTuple):
    """How the sweep went that the records are from."""

    uncertain: bool
    rationed: bool
    complete: bool


def host(
    protocol: Protocol,
    address: bytes,
    ports: Sequence[int],
    records: Records,
    how: Round,
    asked: int,
) -> ScannedHost:
    """Tell what was found of one host.

    asked says how many of its ports were asked for; the others are controls, which nobody should
    answer on.
    """
    table, first = records
    states = table.states_of(first, len(ports))
    forged = None if protocol == Protocol.UDP else _suspicion(states, asked, table, first)
    known: list[ScannedPort] = []
    others: dict[PortState, int] = {}
    answered = (column for column in range(asked) if how.complete or states[column])
    for kind in Kind:
        count = states[:asked].count(kind)
        if not count or (kind == Kind.SILENT and not how.complete):
            continue
        state = PortState.UNCERTAIN if _doubtful(kind, how, forged) else _STATES[kind]
        if protocol == Protocol.UDP and kind == Kind.SILENT:
            state = PortState.SILENT
        if count > LISTED and state != PortState.OPEN:
            others[state] = others.get(state, 0) + count
            continue
        column = states.find(kind)
        while 0 <= column < asked:
            record = table.record(first + column)
            known.append(port(protocol, ports[column], state, record, len(address)))
            column = states.find(kind, column + 1)
    unknown = []
    if forged is not None:
        unknown.append(Unknown(forged))
    if how.rationed and Kind.SILENT in states[:asked]:
        unknown.append(Unknown(RATIONED))
    if how.uncertain and Kind.SILENT in states[:asked]:
        unknown.append(Unknown(LOST))
    return ScannedHost(
        address=written(address),
        ports=tuple(sorted(known, key=lambda one: one.port)),
        others={protocol: others} if others else {},
        asked={protocol: words.written(ports[column] for column in answered)},
        unknown=tuple(unknown),
    )


def _doubtful(kind: Kind, how: Round, forged: str | None) -> bool:
    return (kind == Kind.SILENT and how.uncertain) or (kind == Kind.OPEN and forged is not None)


def _suspicion(states: bytes, asked: int, table: Table, first: int) -> str | None:
    """Return why SYN-ACKs of this host are not believed; None: they are."""
    controls = states[asked:]
    enough = controls or states
    if len(enough) < _ENOUGH_TO_JUDGE or (enough.count(Kind.OPEN) < _FORGED_SHARE * len(enough)):
        return None
    column = states.find(Kind.OPEN)
    return BARE if table.record(first + column).kind else FORGED


def port(
    protocol: Protocol, number: int, state: PortState, record: Record, size: int
) -> ScannedPort:
    """Tell of one port; size is that of an address, in bytes."""
    return ScannedPort(
        port=number,
        protocol=protocol,
        state=state,
        reason=_reason(protocol, record, size),
        rtt=None if not record.state or record.time == NO_TIME else record.time / 1e6,
        ttl=record.hops or None,
    )


def _reason(protocol: Protocol, record: Record, size: int) -> str:
    match record.state:
        case Kind.OPEN:
            return "answer" if protocol == Protocol.UDP else "syn-ack"
        case Kind.CLOSED if protocol == Protocol.TCP:
            return "rst"
        case Kind.REFUSED | Kind.CLOSED:
            return icmp(record.kind, record.code, record.sender[:size])
        case _:
            return "no answer"


def icmp(kind: int, code: int, sender: bytes) -> str:
    """Write an ICMP error: "icmp 3/13 from 192.0.2.1"."""
    name = "icmp" if len(sender) == 4 else "icmpv6"  # noqa: PLR2004 - IPv4
    return f"{name} {kind}/{code} from {written(sender)}"


def merged(parts: Iterable[ScannedHost]) -> ScannedHost:
    """Join what several looks at one host have found; no port is in two of them."""
    first, *rest = parts
    for other in rest:
        first = _joined(first, other)
    return first


def _joined(one: ScannedHost, other: ScannedHost) -> ScannedHost:
    others: dict[str, Mapping[PortState, int]] = {}
    for protocol in {**one.others, **other.others}:
        counts = dict(one.others.get(protocol, {}))
        for state, count in other.others.get(protocol, {}).items():
            counts[state] = counts.get(state, 0) + count
        others[protocol] = counts
    asked = {
        protocol: words.written(
            sorted(
                {
                    *words.read(one.asked.get(protocol, "")),
                    *words.read(other.asked.get(protocol, "")),
                }
            )
        )
        for protocol in {**one.asked, **other.asked}
    }
    return replace(
        one,
        name=one.name or other.name,
        ports=tuple(
            sorted({*one.ports, *other.ports}, key=lambda each: (each.protocol, each.port))
        ),
        others=others,
        asked=asked,
        unknown=tuple(dict.fromkeys((*one.unknown, *other.unknown))),
    )
