"""The inside view held against the outside view, port by port."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from portward.model.finding import Severity
from portward.model.net import Protocol
from portward.model.reaching import Answer, Deciding
from portward.model.scan import PortState


class Outcome(StrEnum):
    """What became of one port, asked from one address."""

    EXPOSED = "exposed as intended"
    """It answers, the rules let it, and the policy wants it."""
    CLOSED = "closed as intended"
    """It does not answer; nothing listens, or the rules keep this address out."""
    UNINTENDED = "exposed, not intended"
    """It answers and the rules let it, but no allowance of the policy is for this address."""
    BLOCKED = "closed, though intended"
    """The policy lets this address in, and the machine's own rules do not."""
    BYPASSED = "open, though the rules say no"
    """Somebody in between answers or passes packets on, or portward is wrong about the rules."""
    HIDDEN = "open, though nothing listens"
    """Somebody else answers for the machine, or a socket hides from it."""
    UPSTREAM = "closed, though the rules say yes"
    """Something before the machine stops it, such as the firewall of a provider."""
    UNTOLD = "not told"
    """One of the two views does not tell; never the same as closed."""


SEVERITIES = {
    Outcome.BYPASSED: Severity.CRITICAL,
    Outcome.HIDDEN: Severity.CRITICAL,
    Outcome.UNINTENDED: Severity.HIGH,
    Outcome.BLOCKED: Severity.MEDIUM,
    Outcome.UPSTREAM: Severity.LOW,
}
"""Of the outcomes that are findings."""


class Verified(Struct, frozen=True, kw_only=True):
    """One port of one address of the machine, asked from one source."""

    address: str
    protocol: Protocol
    port: int
    source: str
    """Empty: the scan does not say where it was made."""
    seen: tuple[PortState, ...]
    """From outside; several where the scan counts without naming, empty where it was not asked."""
    listens: bool | None
    """Something on the machine takes packets for it; None: not known."""
    reach: Answer
    """Whether the rules let this source in."""
    intended: bool | None
    """Whether the policy does; None: not known."""
    outcome: Outcome
    why: str
    """One sentence with what the outcome rests on, or what is missing."""
    service: str = ""
    """As the machine itself knows it."""
    program: str = ""
    answers: str = ""
    """What it was recognised as from outside."""
    decided_by: tuple[Deciding, ...] = ()


class View(Struct, frozen=True, kw_only=True):
    """One look from outside at one address of the machine."""

    address: str
    source: str
    """Empty: not known."""
    stands_for: str
    """Whom the source was chosen for, such as "everyone"; empty: it is itself."""
    interface: str
    """By which its packets come in, or the answers leave; empty: not known."""
    engine: str
    started: datetime
    asked: dict[str, str]
    """Ports by protocol: "1-65535"."""
    must_fail: int
    """Attempts on ports that this source shall not reach."""
    failed: int
    """Of them, those that certainly did."""
    got_through: int
    """Of them, those that certainly did not."""
    must_succeed: int
    """Attempts on ports that something listens on and the policy lets this source reach."""
    succeeded: int
    untold: int
    """Attempts of both kinds of which the outcome is not known."""


class Verification(Struct, frozen=True, kw_only=True):
    """Everything that the two views say together."""

    hostname: str
    taken: datetime
    """When the machine was looked at from inside."""
    views: tuple[View, ...]
    ports: tuple[Verified, ...]
    """Those that something listens on, that answered, or that are not told; the gravest first."""
    notes: tuple[str, ...] = ()
    """What it proves and what not, each a sentence."""
    gaps: tuple[str, ...] = ()
    """What could not be known, each a sentence with its reason."""

    @property
    def findings(self) -> tuple[Verified, ...]:
        """Return the ports on which the views differ from each other or from the policy."""
        return tuple(one for one in self.ports if one.outcome in SEVERITIES)
