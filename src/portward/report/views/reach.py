"""The JSON documents of ``portward reach``."""

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Struct

from portward.model.net import Family, Protocol
from portward.model.reaching import Answer, Difference, Matrix, PacketReach, PortReach
from portward.report.views import says

_Networks = Annotated[
    tuple[str, ...],
    says("As few prefixes as possible; what routing refuses anyway may lie in them."),
]
_Words = Annotated[str, says('The same for a person: "everyone", "everyone except 192.0.2.0/24".')]
_SourcePorts = Annotated[
    str | None,
    says('From these source ports only: "53, 1024-1033"; null: from any that programs get.'),
]
_To = Annotated[
    tuple[str, ...], says("The machine's addresses that it holds for; empty: all of them.")
]
_Doubts = Annotated[tuple[str, ...], says('What an answer "perhaps" hangs on.')]
_Gaps = Annotated[tuple[str, ...], says("What is not known, each a sentence with its reason.")]
_Listens = Annotated[
    tuple[str, ...] | None,
    says("Addresses that something listens on; empty: nothing does; null: not known."),
]
_Protocol = Annotated[Protocol, says("The transport protocol.")]
_Family = Annotated[Family, says("ipv4 or ipv6.")]


class DecidingView(Struct, frozen=True, kw_only=True):
    """A rule, or a chain's policy, that decides."""

    verdict: Annotated[str, says("accept, drop, reject or queue.")]
    words: Annotated[
        str, says('As a person asked for it: "ufw allow 22/tcp", or the text of the rule.')
    ]
    family: Annotated[str, says("Of its table: ip, ip6, inet, netdev.")]
    table: Annotated[str, says("Its table.")]
    chain: Annotated[str, says("Its chain.")]
    rule: Annotated[str | None, says("Text of the rule; null: the policy of the chain.")]
    handle: Annotated[int | None, says("By which nft deletes the rule; null: not known.")]


class SourceView(Struct, frozen=True, kw_only=True):
    """Sources that get through to a port by one interface."""

    interface: Annotated[str, says("The interface that they come by.")]
    family: _Family
    answer: Annotated[Answer, says("yes or perhaps.")]
    networks: _Networks
    words: _Words
    source_ports: _SourcePorts
    to: _To
    delivered: Annotated[
        tuple[str, ...],
        says("Where packets end after translation, where that is not the port itself."),
    ]
    doubts: _Doubts
    decided_by: Annotated[tuple[DecidingView, ...], says("The rules that let them in.")]


class PortReachView(Struct, frozen=True, kw_only=True):
    """Who can reach a port."""

    schema: Annotated[Literal["portward-reach/1"], says("Name and version of this document.")]
    protocol: _Protocol
    port: Annotated[int, says("The port that was asked about.")]
    answer: Annotated[
        Answer, says("Whether anyone outside gets through: yes, no, or perhaps, with the doubts.")
    ]
    sources: Annotated[tuple[SourceView, ...], says("Who gets through, or perhaps does.")]
    interfaces: Annotated[tuple[str, ...], says("Those that packets were followed from.")]
    decided_by: Annotated[
        tuple[DecidingView, ...],
        says("The rules that let somebody in; where nobody gets in, those that keep all out."),
    ]
    listens: _Listens
    gaps: _Gaps


class HopView(Struct, frozen=True, kw_only=True):
    """A rule that matches, a policy, or the routing decision, on the way of a packet."""

    hook: Annotated[str, says("ingress, prerouting, routing, input, forward or postrouting.")]
    family: Annotated[str, says("Of the table; empty: the routing decision.")]
    table: Annotated[str, says("Its table.")]
    chain: Annotated[str, says("Its chain.")]
    depth: Annotated[int, says("How many jumps below the chain of the hook.")]
    rule: Annotated[str | None, says("Text of the rule; null: a policy, or the routing decision.")]
    handle: Annotated[int | None, says("By which nft deletes the rule; null: not known.")]
    matched: Annotated[Answer, says("yes, or perhaps where that cannot be decided.")]
    passed_over: Annotated[int, says("Rules before it, in the same chain, that do not match.")]
    verdict: Annotated[str, says('What it says: "accept", "jump NAME", "dnat to 172.17.0.2:80".')]


class PacketView(Struct, frozen=True, kw_only=True):
    """What happens to the first packet of a connection; a batch has one such on each line."""

    schema: Annotated[
        Literal["portward-reach-packet/1"], says("Name and version of this document.")
    ]
    protocol: _Protocol
    port: Annotated[int, says("Its destination port.")]
    source: Annotated[str, says("Its source address.")]
    source_port: Annotated[int, says("Its source port.")]
    destination: Annotated[str, says("Its destination address.")]
    interface: Annotated[str, says("The interface that it comes by.")]
    answer: Annotated[Answer, says("Whether it gets through.")]
    verdict: Annotated[
        str, says("accept, drop, reject or queue; several with or between where it is perhaps.")
    ]
    delivered: Annotated[
        tuple[str, ...], says("Where it arrives after translation, and by which interface.")
    ]
    doubts: _Doubts
    decided_by: Annotated[tuple[DecidingView, ...], says("The rules that decide.")]
    path: Annotated[tuple[HopView, ...], says("Its way, step by step.")]
    listens: _Listens
    gaps: _Gaps


class SourceClassView(Struct, frozen=True, kw_only=True):
    """Sources that reach exactly the same ports."""

    name: Annotated[str, says('By which reach names it: "S1".')]
    interfaces: Annotated[tuple[str, ...], says("The interfaces that they come by.")]
    family: _Family
    networks: _Networks
    words: _Words


class OpeningView(Struct, frozen=True, kw_only=True):
    """Ports that a class of sources reaches."""

    source: Annotated[str, says("Name of the class.")]
    protocol: _Protocol
    ports: Annotated[str, says('Such as "22, 6000-6063".')]
    source_ports: _SourcePorts
    answer: Annotated[Answer, says("yes or perhaps.")]
    to: _To
    delivered: Annotated[
        tuple[str, ...],
        says("Where packets end after translation; without a port: the one that was sent to."),
    ]
    doubts: _Doubts
    decided_by: Annotated[
        tuple[str, ...],
        says("Names of the rules that let the class in; empty: none is in the way."),
    ]


class MatrixRuleView(DecidingView, frozen=True, kw_only=True):
    """A rule that lets some class in."""

    name: Annotated[str, says('By which reach names it: "R1".')]


class MatrixView(Struct, frozen=True, kw_only=True):
    """All ports at once."""

    schema: Annotated[
        Literal["portward-reach-matrix/1"], says("Name and version of this document.")
    ]
    classes: Annotated[tuple[SourceClassView, ...], says("The sources that reach anything.")]
    reach: Annotated[tuple[OpeningView, ...], says("What each class reaches.")]
    rules: Annotated[tuple[MatrixRuleView, ...], says("The rules that let them in.")]
    gaps: _Gaps


class ChangeView(Struct, frozen=True, kw_only=True):
    """Ports that sources can reach in one ruleset and not in the other."""

    what: Annotated[
        Literal["opens", "closes", "perhaps"],
        says("perhaps where one of the two answers is not certain."),
    ]
    protocol: _Protocol
    ports: Annotated[str, says('Such as "22, 6000-6063".')]
    source_ports: Annotated[
        str | None, says('It is so from these source ports only: "53"; null: from any.')
    ]
    interfaces: Annotated[tuple[str, ...], says("The interfaces that they come by.")]
    family: _Family
    networks: _Networks
    words: _Words
    before: Annotated[Answer, says("The answer in the old ruleset.")]
    after: Annotated[Answer, says("The answer in the new ruleset.")]


class DifferenceView(Struct, frozen=True, kw_only=True):
    """What opens and what closes between two rulesets."""

    schema: Annotated[
        Literal["portward-reach-difference/1"], says("Name and version of this document.")
    ]
    old: Annotated[str, says("The old ruleset, as it was named.")]
    new: Annotated[str, says("The new ruleset, as it was named.")]
    changes: Annotated[tuple[ChangeView, ...], says("Empty: nothing opens or closes.")]
    gaps: _Gaps


View = TypeVar("View", PortReachView, PacketView, MatrixView, DifferenceView)


def port(answer: PortReach) -> PortReachView:
    """Write who can reach a port."""
    return _view("portward-reach/1", answer, PortReachView)


def packet(answer: PacketReach) -> PacketView:
    """Write what happens to a packet."""
    return _view("portward-reach-packet/1", answer, PacketView)


def matrix(found: Matrix) -> MatrixView:
    """Write what every class of sources can reach."""
    return _view("portward-reach-matrix/1", found, MatrixView)


def difference(found: Difference) -> DifferenceView:
    """Write what opens and what closes."""
    return _view("portward-reach-difference/1", found, DifferenceView)


def _view(name: str, answer: Struct, kind: type[View]) -> View:
    """Take an answer field by field, as both have the same."""
    fields = {"schema": name, **msgspec.structs.asdict(answer)}
    return msgspec.convert(fields, kind, from_attributes=True)
