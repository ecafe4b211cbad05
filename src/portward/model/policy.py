"""What the machine should be: the resolved policy, with the origin of every allowance."""

from datetime import date
from enum import StrEnum

from msgspec import Struct

from portward.model.net import Ports
from portward.model.service import Audience, Role


class Profile(StrEnum):
    """The kind of place that the machine stands in."""

    SERVER = "server"
    PUBLIC = "public"
    """A network of strangers: a café, a hotel."""
    HOME = "home"
    WORK = "work"
    ISOLATED = "isolated"
    """Nothing comes in, whatever the roles say."""


class Sources(Struct, frozen=True, kw_only=True):
    """Who may reach an allowed port."""

    audience: Audience
    networks: tuple[str, ...] = ()
    """Exactly these prefixes where not empty; then audience tells how wide they are."""
    label: str
    """In the policy's own words: "any", "admin"."""


class Allowance(Struct, frozen=True, kw_only=True):
    """Ports that may be open, for whom, and who says so."""

    service: str | None
    """Name in the catalogue; None for a bare port."""
    ports: tuple[Ports, ...]
    sources: Sources
    program: str | None = None
    """Path of the only program that may hold the ports."""
    reason: str
    until: date | None = None
    origin: str
    """"role web-server", or file and line of the policy."""
    required: bool = False
    """The role does not work without it (plan never closes it)."""


class Outgoing(Struct, frozen=True, kw_only=True):
    """Where this machine, and the networks behind it, may connect to."""

    service: str | None
    """Name in the catalogue; None for a bare port."""
    ports: tuple[Ports, ...]
    to: Sources
    """Whom it may be sent to; never this host, which may always send to itself."""
    reason: str
    origin: str
    """File and line of the policy."""


class Suppression(Struct, frozen=True, kw_only=True):
    """A finding that a person has decided to live with, for a while."""

    finding: str
    """Id of a finding ("PW-1f2e3d4c"), or of a check."""
    reason: str
    until: date
    origin: str


class Policy(Struct, frozen=True, kw_only=True):
    """The resolved policy: roles, profile and exceptions as one list of allowances."""

    roles: tuple[Role, ...]
    profile: Profile
    networks: dict[str, tuple[str, ...]]
    allowances: tuple[Allowance, ...]
    suppressions: tuple[Suppression, ...]
    outgoing: tuple[Outgoing, ...] = ()
    """Not empty: nothing else may be sent. Empty: anything may."""
    automatic_updates: bool = False
    """Security updates shall be installed without anyone asking."""
    source: str
    """The file it was read from, or "" where the roles were recognised or given by name."""
    recognised: bool = False
    """No policy was given: the roles are a guess from what runs."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it came about."""
