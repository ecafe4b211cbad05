"""What is open: every listener with its service, who can reach it, and whether that is allowed."""

from enum import StrEnum

from msgspec import Struct

from portward.model.host import Listener
from portward.model.net import Family, Protocol
from portward.model.policy import Allowance
from portward.model.reaching import Deciding
from portward.model.service import Service


class Scope(StrEnum):
    """Who can reach a port, from narrow to wide."""

    NOBODY = "nobody"
    HOST = "host"
    """Only this machine itself (or, in a container, only the container)."""
    NETWORKS = "networks"
    EVERYONE = "everyone"
    """Everyone who has a route to the machine."""
    UNKNOWN = "unknown"


class Entrance(Struct, frozen=True, kw_only=True):
    """A way in: packets of a family that come by an interface."""

    device: str
    family: Family


class Decider(Struct, frozen=True, kw_only=True):
    """What decides who reaches a port by an interface."""

    device: str
    rule: Deciding


class Reach(Struct, frozen=True, kw_only=True):
    """Who can reach a port, and why portward says so."""

    scope: Scope
    reason: str
    networks: tuple[str, ...] = ()
    """Prefixes; one with "(eth1)" behind it only as it comes in by that inner interface."""
    decided_by: tuple[Decider, ...] = ()
    """Empty where no rule decides: the bind address does, or nothing is filtered."""
    entrances: tuple[Entrance, ...] = ()
    """By which those come in that the scope is about."""


class Basis(StrEnum):
    """What a listener was recognised by, from strong to weak."""

    UNIT = "unit"
    PACKAGE = "package"
    PROGRAM = "program"
    INETD = "inetd"
    KERNEL = "kernel"
    PORT = "port"
    """Nothing but the number: anyone can listen there."""


class Recognition(Struct, frozen=True, kw_only=True):
    """Which service of the catalogue a listener is."""

    service: Service
    basis: Basis
    usual_port: bool
    """It listens on a port that the catalogue gives for the service."""


class Verdict(StrEnum):
    """What the policy says of a listener."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "not allowed"
    LOCAL = "local"
    """No role names it, but only this host can reach it."""
    CLOSED = "closed"
    """No role names it, and nobody can reach it: the firewall or the routing keeps all out."""
    INSIDE = "inside"
    """It lives in a network of its own (a container's); what is published of it is a listener of
    the host, and judged there."""
    UNKNOWN = "unknown"
    """A fact that decides is not known."""


class Exposure(Struct, frozen=True, kw_only=True):
    """One listener as a person wants to see it."""

    listener: Listener
    recognition: Recognition | None
    reach: Reach
    verdict: Verdict
    allowance: Allowance | None
    unforwarded: Reach | None = None
    """Of a port that is passed on (to a container): whom the rules for incoming packets would let
    in. Its packets never come to those rules."""


class Default(Struct, frozen=True, kw_only=True):
    """What becomes of packets from outside for a port that no rule names."""

    family: Family
    protocol: Protocol
    reach: Reach
