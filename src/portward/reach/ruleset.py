"""The ruleset as the kernel executes it, whichever tool wrote it: the nouns of reach.

Two readers make it, ``nft_json`` and ``xtables``; ``walk`` executes it. Everything that a packet
may be asked is a Field with a number (an address, a port, a mark) or a name (an interface) as its
value; every question about it is a Test. What is not understood stays there under its name, as
Opaque, and makes answers "perhaps".
"""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from portward.model.reaching import where

Range = tuple[int, int]
"""An inclusive range of numbers."""

MANY_TARGETS = 64
"""A range that packets are translated to is followed one by one up to this size."""

IPV4_BITS = 32
IPV6_BITS = 128


class Field(Struct, frozen=True, array_like=True, tag="field"):
    """Something that a packet, or the path it takes, has: "ip saddr", "dport", "iifname"."""

    name: str


class Bits(Struct, frozen=True, array_like=True, tag="bits"):
    """A number seen through a mask: ``(field & mask) ^ flip``."""

    of: Field
    mask: int
    flip: int = 0


class Opaque(Struct, frozen=True, array_like=True, tag="opaque"):
    """Something that portward does not understand, or that no single packet decides."""

    name: str


Part = Field | Bits | Opaque


class Names(Struct, frozen=True, array_like=True, tag="names"):
    """Interface names, each exact or with a trailing ``*`` for any rest."""

    names: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Say whether a name is one of them."""
        return any(
            name.startswith(one[:-1]) if one.endswith("*") else name == one for one in self.names
        )


class SetName(Struct, frozen=True, array_like=True, tag="set"):
    """A named set of the same table."""

    name: str


Values = tuple[Range, ...] | Names
Row = tuple[Values, ...]
"""One value for each part of a concatenation."""


class Test(Struct, frozen=True, array_like=True, tag="test"):
    """Whether the parts, one or several concatenated, have one of these values."""

    parts: tuple[Part, ...]
    rows: tuple[Row, ...] | SetName
    negated: bool = False


class Chance(Struct, frozen=True, array_like=True, tag="chance"):
    """A condition that holds for some packets and not for others that look the same.

    A rate limit, a quota, a share of the traffic, the time of day.
    """

    name: str


class Kind(StrEnum):
    """What a verdict does."""

    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"
    QUEUE = "queue"
    """A program decides."""
    RETURN = "return"
    JUMP = "jump"
    GOTO = "goto"
    CONTINUE = "continue"


class Verdict(Struct, frozen=True, array_like=True, tag="verdict"):
    """What happens to a packet that comes this far in a rule."""

    kind: Kind
    chain: str = ""


class Dispatch(Struct, frozen=True, array_like=True, tag="dispatch"):
    """A verdict map: the first entry that has the value decides."""

    parts: tuple[Part, ...]
    entries: tuple[tuple[Row, Verdict], ...] | SetName


class Assign(Struct, frozen=True, array_like=True, tag="assign"):
    """``field = (source & keep) ^ (field & stay) ^ flip``: a mark is set."""

    field: Field
    source: Part
    keep: int
    flip: int
    stay: int = 0


class Target(Struct, frozen=True, array_like=True, tag="target"):
    """Where a translation may send a packet; None leaves that half as it is."""

    address: Range | None = None
    port: Range | None = None


class Translate(Struct, frozen=True, array_like=True, tag="translate"):
    """Network address translation, of the destination (dnat, redirect) or the source.

    Translation of the source has no targets here, as where it leads to changes nothing about who
    gets through: it accepts, and a connection's source is translated once.
    """

    kind: str
    """"dnat", "redirect", "snat" or "masquerade"."""
    family: int | None
    """4 or 6; None: both."""
    targets: tuple[Target, ...] = ()
    parts: tuple[Part, ...] = ()
    """Not empty where a map chooses the target."""
    entries: tuple[tuple[Row, Target], ...] | SetName = ()


class Untrack(Struct, frozen=True, array_like=True, tag="untrack"):
    """Connection tracking shall not see the packet: its state is "untracked"."""


Step = Test | Chance | Opaque | Verdict | Dispatch | Assign | Translate | Untrack


class Rule(Struct, frozen=True, kw_only=True):
    """Steps from left to right; the first that does not hold ends the rule."""

    steps: tuple[Step, ...]
    handle: int | None = None
    text: str = ""
    """In the words of the tool that wrote it."""
    comment: str = ""


class Base(Struct, frozen=True, kw_only=True):
    """What ties a chain to a hook of the kernel."""

    hook: str
    """"ingress", "prerouting", "input", "forward", "output", "postrouting"."""
    type: str
    """"filter", "nat" or "route"."""
    priority: int
    policy: Kind
    devices: tuple[str, ...] = ()
    """Of an ingress chain; empty: not known."""


class Chain(Struct, frozen=True, kw_only=True):
    """Rules in order, tied to a hook or jumped to."""

    name: str
    base: Base | None
    rules: tuple[Rule, ...]


class Elements(Struct, frozen=True, kw_only=True):
    """A named set or map."""

    rows: tuple[Row, ...] = ()
    verdicts: tuple[tuple[Row, Verdict], ...] = ()
    targets: tuple[tuple[Row, Target], ...] = ()
    values: tuple[tuple[Row, int], ...] = ()
    dynamic: bool = False
    """Packets add to it, so it may hold anything by the time of the next packet."""


class Table(Struct, frozen=True, kw_only=True):
    """A table with its chains and sets, in the order in which they were made."""

    family: str
    name: str
    chains: tuple[Chain, ...]
    sets: dict[str, Elements] = {}
    legacy: bool = False
    """It belongs to the old iptables, which nft does not show."""

    def chain(self, name: str) -> Chain | None:
        """Return a chain by its name."""
        return next((chain for chain in self.chains if chain.name == name), None)


class Ruleset(Struct, frozen=True, kw_only=True):
    """Everything that filters or translates on a machine."""

    tables: tuple[Table, ...] = ()


class Place(NamedTuple):
    """Where a rule stands, for a person to find it."""

    family: str
    table: str
    chain: str
    rule: Rule | None
    """None: the chain's policy."""

    @property
    def where(self) -> str:
        """The same for a person."""
        return where(self.family, self.table, self.chain, self.rule.handle if self.rule else None)
