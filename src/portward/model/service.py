"""What is known about services in general, on any machine: the nouns of the catalogue."""

from enum import StrEnum

from msgspec import Struct

from portward.model.net import Ports, Protocol


class Encryption(StrEnum):
    """What a listener on the wire can read of a service."""

    NONE = "none"
    """Everything: the protocol has no encryption."""
    OPTIONAL = "optional"
    """What was not switched to TLS: STARTTLS, or a setting that is off by default."""
    ALWAYS = "always"
    """Nothing but metadata."""


class Audience(StrEnum):
    """Who should normally reach a service; each includes the ones before it."""

    NOBODY = "nobody"
    HOST = "host"
    PRIVATE = "private"
    """Networks of the owner: RFC 1918, unique local addresses, a VPN."""
    ANYONE = "anyone"


class Distribution(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names of a service in one family of distributions."""

    packages: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    """Those of the packages that are also installed for a client or a tool that they bring: to
    have one is no sign of serving."""
    units: tuple[str, ...] = ()


class Bind(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a service is told to listen on fewer addresses."""

    program: str
    """Whose setting this is: a package name."""
    file: str
    setting: str
    """The line to write for this host only; {address} stands for the address."""


class Service(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One service: a protocol that programs speak on ports of their own."""

    name: str
    title: str
    ports: tuple[Ports, ...]
    encryption: Encryption
    audience: Audience
    risk: str
    """Why an open port of it is a risk, in one sentence."""
    instead: str
    """What to use instead or how to live without it, in one sentence."""
    replacement: str | None = None
    """Name of the encrypted service that replaces it."""
    secrets: tuple[str, ...] = ()
    """What travels in the clear: "passwords", "mail"."""
    programs: tuple[str, ...] = ()
    """File names of the programs that speak it, without directory."""
    essential: bool = False
    """Part of every machine's own housekeeping (DHCP client, resolver stub)."""
    dynamic: bool = False
    """It also opens ports that the system chooses (ONC RPC, mDNS queries)."""
    debian: Distribution = Distribution()
    fedora: Distribution = Distribution()
    upstream: Distribution = Distribution()
    """Names that only packages of the makers themselves have, on any distribution."""
    bind: tuple[Bind, ...] = ()


class Need(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service that a role needs, and from whom."""

    service: str
    audience: Audience
    optional: bool = False
    """Allowed where it runs, but the role works without it."""
    mark: bool = True
    """False: it runs on other machines too, so seeing it does not speak for the role."""
    reason: str


class Role(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a machine is for: the services it needs, and nothing else is allowed."""

    name: str
    title: str
    summary: str
    needs: tuple[Need, ...]
    forwards: bool = False
    """It passes packets on between networks: ip_forward must stay on."""
    autoconf: bool = True
    """Its interfaces may take IPv6 router advertisements."""
    captures: bool = False
    """Raw and packet sockets are its business (monitoring, routing daemons)."""
    units: tuple[str, ...] = ()
    """systemd services that show the role where they run, for roles that open no port of their
    own."""
    containers: bool = False
    """Containers that run show the role."""


class BackdoorPort(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A default port of a trojan, backdoor or attack framework: a weak hint, never proof."""

    port: int
    protocol: Protocol
    name: str
    note: str


class Catalogue(Struct, frozen=True, kw_only=True):
    """All that is known: services and roles by name, and the weak hints."""

    services: dict[str, Service]
    roles: dict[str, Role]
    backdoors: tuple[BackdoorPort, ...]
