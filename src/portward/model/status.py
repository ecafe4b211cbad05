"""What is open: every listener with its service, who can reach it, and whether that is allowed."""

from enum import StrEnum

from msgspec import Struct

from portward.model.host import Listener
from portward.model.policy import Allowance
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


class Reach(Struct, frozen=True, kw_only=True):
    """Who can reach a port, and why portward says so."""

    scope: Scope
    reason: str
    networks: tuple[str, ...] = ()


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
