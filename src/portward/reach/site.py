"""A machine that questions are asked about: a ruleset, and what else decides about packets."""

from functools import cached_property

from portward.model.host import HOST, Snapshot
from portward.model.net import Family, Protocol
from portward.model.unknown import Maybe, Unknown
from portward.reach.answer import Machine
from portward.reach.host import Host, host
from portward.reach.ruleset import Base, Chain, Kind, Opaque, Rule, Ruleset, Table, Verdict

FAMILIES = (Family.IPV4, Family.IPV6)


class Site:
    """A ruleset with the snapshot of its machine; what a question needs is made when it asks."""

    def __init__(
        self,
        ruleset: Maybe[Ruleset],
        snapshot: Snapshot,
        named: dict[str, tuple[str, ...]] | None = None,
    ) -> None:
        """Take both, and the networks that the policy has a name for."""
        self.snapshot = snapshot
        self.named = named or {}
        self.gaps: tuple[str, ...] = tuple(
            f"The {what} are not known: {fact.reason}."
            for what, fact in (("interfaces", snapshot.interfaces), ("routes", snapshot.routes))
            if isinstance(fact, Unknown)
        )
        if isinstance(ruleset, Unknown):
            self.gaps += (f"The firewall is not known: {ruleset.reason}.",)
            ruleset = undecided(f"the firewall ({ruleset.reason})")
        self.ruleset = ruleset

    @cached_property
    def hosts(self) -> dict[Family, Host]:
        """Addresses, routes and settings of each family."""
        return {family: host(self.snapshot, family) for family in FAMILIES}

    @cached_property
    def machines(self) -> dict[Family, Machine]:
        """Both families, ready for questions about all sources."""
        return {family: Machine(self.ruleset, self.hosts[family]) for family in FAMILIES}

    @property
    def sees_interfaces(self) -> bool:
        """Say whether packets can be followed at all."""
        return not isinstance(self.snapshot.interfaces, Unknown)

    def listens(self, protocol: Protocol, port: int) -> tuple[str, ...] | None:
        """Return the addresses that something on this machine listens on; None: not known."""
        if isinstance(self.snapshot.listeners, Unknown):
            return None
        return tuple(
            dict.fromkeys(
                one.address
                for one in self.snapshot.listeners
                if (one.protocol, one.port, one.namespace) == (protocol, port, HOST)
            )
        )


def undecided(name: str) -> Ruleset:
    """Return a ruleset of which nobody knows what it lets through."""
    rule = Rule(steps=(Opaque(name), Verdict(Kind.DROP)))
    chains = tuple(
        Chain(
            name=hook,
            base=Base(hook=hook, type="filter", priority=0, policy=Kind.ACCEPT),
            rules=(rule,),
        )
        for hook in ("input", "forward")
    )
    return Ruleset(tables=(Table(family="inet", name="unknown", chains=chains),))
