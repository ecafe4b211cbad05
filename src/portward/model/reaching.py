"""Answers about reach as documents: of a port, of a packet, of two rulesets."""

from enum import StrEnum

from msgspec import Struct

from portward.model.net import Family, Protocol


class Answer(StrEnum):
    """Whether it gets through."""

    YES = "yes"
    NO = "no"
    PERHAPS = "perhaps"
    """It hangs on something that no rule tells, such as a rate limit or an unknown match."""


def where(family: str, table: str, chain: str, handle: int | None) -> str:
    """Say where a rule stands."""
    place = f"{family} {table} {chain}"
    return place if handle is None else f"{place}, handle {handle}"


class Deciding(Struct, frozen=True, kw_only=True):
    """A rule, or a chain's policy, that decides."""

    verdict: str
    """"accept", "drop", "reject" or "queue"."""
    words: str
    """As a person asked for it: "ufw allow 22/tcp", or the rule's own text."""
    family: str
    table: str
    chain: str
    rule: str | None
    """Text of the rule; None: the policy of the chain."""
    handle: int | None
    """By which nft deletes the rule."""

    @property
    def lets_in(self) -> bool:
        """It lets somebody through; otherwise it keeps them out."""
        return self.verdict == "accept"

    @property
    def where(self) -> str:
        """Table, chain and handle, for ``nft -a list ruleset``."""
        return where(self.family, self.table, self.chain, self.handle)


class Entrance(Struct, frozen=True, kw_only=True):
    """Sources that get through to a port by one interface."""

    interface: str
    family: Family
    answer: Answer
    networks: tuple[str, ...]
    """As few prefixes as possible; what routing refuses anyway may lie in them."""
    words: str
    """The same for a person: "everyone", "everyone except 192.0.2.0/24"."""
    source_ports: str | None
    """From these source ports only; None: from any."""
    to: tuple[str, ...]
    """The machine's addresses that it holds for; empty: all of them."""
    delivered: tuple[str, ...]
    """Where packets end after translation, where that is not the port itself."""
    doubts: tuple[str, ...]
    """What an answer "perhaps" hangs on."""
    decided_by: tuple[Deciding, ...]


class PortReach(Struct, frozen=True, kw_only=True):
    """Who can reach a port."""

    protocol: Protocol
    port: int
    answer: Answer
    sources: tuple[Entrance, ...]
    interfaces: tuple[str, ...]
    """Those that packets were followed from."""
    decided_by: tuple[Deciding, ...]
    listens: tuple[str, ...] | None
    """Addresses that something listens on; None: not known."""
    gaps: tuple[str, ...]


class Hop(Struct, frozen=True, kw_only=True):
    """A rule that matches, a policy, or the routing decision, on the way of a packet."""

    hook: str
    """"ingress", "prerouting", "routing", "input", "forward" or "postrouting"."""
    family: str
    table: str
    chain: str
    depth: int
    """How many jumps below the chain of the hook."""
    rule: str | None
    """Text of the rule; None: the policy of the chain, or the routing decision."""
    handle: int | None
    matched: Answer
    passed_over: int
    """Rules before it, in the same chain, that do not match."""
    verdict: str
    """What it says: "accept", "jump NAME", "continue", "dnat to 172.17.0.2:80"."""


class PacketReach(Struct, frozen=True, kw_only=True):
    """What happens to the first packet of a connection."""

    protocol: Protocol
    port: int
    source: str
    source_port: int
    destination: str
    interface: str
    answer: Answer
    verdict: str
    """"accept", "drop", "reject", "queue", or several where the answer is "perhaps"."""
    delivered: tuple[str, ...]
    """Where it arrives: an address and port, and the interface it is passed on by."""
    doubts: tuple[str, ...]
    decided_by: tuple[Deciding, ...]
    path: tuple[Hop, ...]
    listens: tuple[str, ...] | None
    gaps: tuple[str, ...]


class SourceClass(Struct, frozen=True, kw_only=True):
    """Sources that reach exactly the same ports."""

    name: str
    interfaces: tuple[str, ...]
    family: Family
    networks: tuple[str, ...]
    """As few prefixes as possible; what routing refuses anyway may lie in them."""
    words: str
    """The same for a person."""


class Opening(Struct, frozen=True, kw_only=True):
    """Ports that a class of sources reaches."""

    source: str
    """Name of the class."""
    protocol: Protocol
    ports: str
    """"22, 6000-6063"."""
    source_ports: str | None
    """From these source ports only; None: from any."""
    answer: Answer
    to: tuple[str, ...]
    """The machine's addresses that it holds for; empty: all of them."""
    delivered: tuple[str, ...]
    """Where packets end after translation; without a port: the one that they were sent to."""
    doubts: tuple[str, ...]
    """What an answer "perhaps" hangs on."""
    decided_by: tuple[str, ...]
    """Names of the rules that let the class in; empty: no rule is in the way."""


class RuleOfMatrix(Deciding, frozen=True, kw_only=True):
    """A rule that lets some class in."""

    name: str


class Matrix(Struct, frozen=True, kw_only=True):
    """All ports at once: the classes of sources, and what each can reach."""

    classes: tuple[SourceClass, ...]
    """Those that reach anything."""
    reach: tuple[Opening, ...]
    rules: tuple[RuleOfMatrix, ...]
    gaps: tuple[str, ...]


class Change(Struct, frozen=True, kw_only=True):
    """Ports that sources can reach in one ruleset and not in the other."""

    what: str
    """"opens", "closes", or "perhaps" where one of the two answers is no certain one."""
    protocol: Protocol
    ports: str
    source_ports: str | None
    """From these source ports only; None: from any."""
    interfaces: tuple[str, ...]
    family: Family
    networks: tuple[str, ...]
    words: str
    before: Answer
    after: Answer


class Difference(Struct, frozen=True, kw_only=True):
    """What opens and what closes between two rulesets."""

    old: str
    new: str
    changes: tuple[Change, ...]
    gaps: tuple[str, ...]
