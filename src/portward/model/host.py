"""The snapshot: everything known about one machine at one moment, as one immutable value."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

from portward.model.net import Family, Protocol
from portward.model.unknown import NOT_LOOKED_UP, NOT_SURVEYED, Maybe

SCHEMA_VERSION = 1
HOST = "host"
"""The name of the network namespace that portward itself was started in."""

PortNumber = Annotated[int, Meta(ge=0, le=65535)]


class Fact(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of everything a snapshot holds; a field nobody knows makes the file damaged."""


# --- whose it is ----------------------------------------------------------------------------


class ExeState(StrEnum):
    """What became of the file that a process runs, compared by device and inode."""

    PRESENT = "present"
    DELETED = "deleted"
    REPLACED = "replaced"
    """Another file now has its path: an upgrade without a restart, or a disguise."""
    MEMORY = "memory"
    """A memfd: there never was a file."""


class Process(Fact, frozen=True, kw_only=True, tag="process", tag_field="kind"):
    """A process that holds a socket."""

    pid: int
    name: str
    """comm: at most 15 bytes and the program's own to write, so shown but never trusted."""
    exe: Maybe[str]
    exe_state: Maybe[ExeState]
    cmdline: tuple[str, ...]
    """As the process shows it, with values of secret options replaced by ``***``."""
    uid: int
    user: str | None
    started: datetime | None
    sharers: tuple[int, ...] = ()
    """Other processes that hold the same socket (workers after a fork), by pid."""


class Kernel(Fact, frozen=True, kw_only=True, tag="kernel", tag_field="kind"):
    """The kernel itself holds the socket; there is no process to look for."""

    name: str
    """What in the kernel: "nfsd", "lockd", "wireguard"."""


class InetdLine(Fact, frozen=True, kw_only=True):
    """One service of inetd or xinetd: a port that the super-server opens for a program."""

    file: str
    line: int
    service: str
    """The first word of the line: a name of /etc/services, or a port."""
    protocol: Protocol
    port: int | None
    """None where the name is not in /etc/services."""
    user: str
    program: str
    """Path of the program it starts, or "internal"."""
    package: Maybe[str | None]


class Listener(Fact, frozen=True, kw_only=True):
    """A port that takes packets nobody asked for, and whose it is.

    Sockets that differ only in being twins (SO_REUSEPORT, one per worker) are one listener.
    """

    protocol: Protocol
    family: Family
    address: str
    """Bind address without brackets; "" for packet sockets."""
    port: PortNumber
    device: str | None = None
    """Interface it is bound to (SO_BINDTODEVICE, or a packet socket's)."""
    namespace: str = HOST
    """Name of its network namespace, as in Snapshot.namespaces."""
    backlog: int | None = None
    mptcp: bool = False
    filtered: bool = False
    """A BPF program is attached to the socket."""
    uid: int
    inodes: tuple[int, ...]
    process: Process | Kernel | Maybe[None]
    """None: portward looked everywhere and nobody holds it."""
    unit: Maybe[str | None]
    """systemd unit: "nginx.service"; the .socket unit where a systemd manager holds the port,
    also while the service that got it from there holds it too (then process is the service's).

    In a container: the unit of the container's own systemd.
    """
    unit_user: str | None = None
    """Set for a unit of a user's own manager."""
    activates: str | None = None
    """The unit that the .socket unit starts on the first connection."""
    inetd: InetdLine | None = None
    package: Maybe[str | None]
    """Of the program; of the .socket unit's file where systemd itself is the program."""
    container: Maybe[str | None]
    """Name of the container it lives in, as in Snapshot.containers.

    For a docker-proxy, which lives on the host: the container that it opens the port for.
    """


class Namespace(Fact, frozen=True, kw_only=True):
    """A network namespace of this machine."""

    name: str
    """"host", the container's name, the name below /run/netns, or "net:[4026...]"."""
    inode: int
    container: str | None
    sockets: Maybe[int]
    """How many listening sockets it has; unknown where it could not be entered."""


class PublishedPort(Fact, frozen=True, kw_only=True):
    """A port of the machine that is passed on to a container, as the engine's files say."""

    protocol: Protocol
    address: str
    port: PortNumber
    container_port: PortNumber


class Container(Fact, frozen=True, kw_only=True):
    """A running container."""

    name: str
    id: str
    engine: str
    """"docker", "podman", "lxc", "nspawn", "kubernetes" or "unknown"."""
    image: str | None
    published: Maybe[tuple[PublishedPort, ...]]


# --- what would open ports after the next boot ---------------------------------------------


class Unit(Fact, frozen=True, kw_only=True):
    """A service or socket that starts, or may be started, at boot."""

    name: str
    manager: str
    """"system", "user" (of every user), "sysv" or "rc"."""
    state: str
    """UnitFileState in systemd's words: enabled, static, masked, generated..."""
    active: Maybe[str]
    """ActiveState in systemd's words: "active", "inactive", "failed"."""
    file: str | None
    source: str | None = None
    """The file that a generator made it from (SourcePath of a generated unit)."""
    listens: tuple[str, ...] = ()
    """Listen*= addresses of a socket unit, as written."""
    triggers: tuple[str, ...] = ()
    triggered_by: tuple[str, ...] = ()
    package: Maybe[str | None]


# --- the machine ----------------------------------------------------------------------------


class Facing(StrEnum):
    """Whom an interface connects the machine to, as far as its own settings tell."""

    INTERNET = "internet"
    PRIVATE = "private"
    HOST = "host"
    VPN = "vpn"
    BRIDGE = "bridge"
    """A bridge or veth to containers or virtual machines of this host."""
    DOWN = "down"


class Interface(Fact, frozen=True, kw_only=True):
    """A network interface of the host's own namespace."""

    name: str
    index: int
    kind: str
    """IFLA_INFO_KIND ("bridge", "veth", "wireguard", "vlan"...), "loopback" or "physical"."""
    up: bool
    addresses: tuple[str, ...]
    """With prefix length: "192.0.2.7/24"."""
    facing: Facing
    facing_reason: str
    default_route: bool
    promiscuous: bool
    master: str | None = None


class Route(Fact, frozen=True, kw_only=True):
    """A route of the main table."""

    destination: str
    """"default" or a prefix."""
    family: Family
    gateway: str | None
    device: str | None
    metric: int | None


class Firewall(Fact, frozen=True, kw_only=True, tag="firewall", tag_field="kind"):
    """The ruleset as the kernel has it, unread, and the tools that put it there."""

    nft: Maybe[str | None]
    """``nft -j list ruleset``; None: nf_tables holds no table."""
    iptables: Maybe[str | None]
    """``iptables-save`` where iptables rules are among them; None: there are none."""
    ip6tables: Maybe[str | None]
    iptables_legacy: Maybe[str | None]
    """``iptables-legacy-save``, for rules that nft cannot show; None: there are none."""
    ip6tables_legacy: Maybe[str | None]
    managers: Maybe[tuple["FirewallManager", ...]]
    ipsets: Maybe[str | None] = NOT_SURVEYED
    """``ipset save`` where rules of iptables ask a set; None: none does."""
    files: tuple[str, ...] = ()
    """Configuration that would be loaded at boot (an image has only this)."""


class FirewallManager(Fact, frozen=True, kw_only=True):
    """A tool that writes firewall rules on this machine."""

    name: str
    """"ufw", "firewalld", "nftables", "netfilter-persistent", "docker", "fail2ban"..."""
    enabled: Maybe[bool]
    """It would load its rules at boot."""
    active: Maybe[bool]
    """Its rules are in the kernel now."""
    exclusive: bool
    """It takes itself for the only manager of the host's own input (ufw, firewalld...)."""
    evidence: str


class Sysctl(Fact, frozen=True, kw_only=True):
    """A kernel setting: what it is now and what it will be after a boot, two facts."""

    key: str
    """In dots: "net.ipv4.tcp_syncookies"; interfaces keep their own dots as "/"."""
    live: Maybe[str | None]
    """None: this kernel does not have it."""
    boot: Maybe[str | None]
    """What sysctl.d sets it to; None: nothing sets it, so the kernel's default stays."""
    boot_source: str | None = None
    """File and line that decide."""


class Package(Fact, frozen=True, kw_only=True):
    """An installed package."""

    name: str
    version: str
    architecture: str
    source: str | None = None
    """Source package where its name differs."""
    protected: bool = False
    """The package manager does not remove it for a simple request (deb-control(5): Essential,
    Protected; dnf: protected.d)."""
    priority: str | None = None
    """Debian's own word: "required", "important", "standard", "optional"."""
    required_by: Maybe[tuple[str, ...]] = NOT_LOOKED_UP
    """Names of the installed packages that it cannot leave without: nothing else that is
    installed takes its place for them."""


class PendingUpdate(Fact, frozen=True, kw_only=True):
    """A newer version that the package lists know."""

    package: str
    installed: str
    candidate: str
    security: bool


class StaleProcess(Fact, frozen=True, kw_only=True):
    """A process that still runs a file that an upgrade has replaced."""

    pid: int
    name: str
    unit: str | None
    libraries: tuple[str, ...]


class ObstacleKind(StrEnum):
    """What keeps updates from being installed by themselves."""

    TOOL = "tool"
    """A package is not installed; name: the package."""
    SETTING = "setting"
    """A setting is off or not set; name: the setting, file: what sets it."""
    ORIGIN = "origin"
    """unattended-upgrades is allowed no archive to take updates from."""
    MASKED = "masked"
    """A unit may not start; name: the unit."""
    DISABLED = "disabled"
    """A unit does not start; name: the unit."""
    STARTER = "starter"
    """The file that cron would start is not there; file: its path."""


class Obstacle(Fact, frozen=True, kw_only=True):
    """One thing that keeps updates from being installed by themselves."""

    kind: ObstacleKind
    name: str
    text: str
    """In words: "APT::Periodic::Enable is 0"."""
    file: str | None = None
    """Where it is set now; None where nothing sets it."""


class Updates(Fact, frozen=True, kw_only=True, tag="updates", tag_field="kind"):
    """How the machine keeps its software updated."""

    manager: str | None
    """"apt", "dnf" or None where there is neither."""
    automatic: Maybe[bool]
    """Updates are installed without anyone asking."""
    automatic_reason: str
    """Which file, unit or package says so."""
    obstacles: tuple[Obstacle, ...] = ()
    """Everything that is missing where automatic is false."""
    lists_updated: Maybe[datetime | None]
    pending: Maybe[tuple[PendingUpdate, ...]]
    stale: Maybe[tuple[StaleProcess, ...]]
    reboot_required: Maybe[bool]
    reboot_reason: str | None = None


class Antivirus(Fact, frozen=True, kw_only=True):
    """A scanner for malicious software."""

    name: str
    running: Maybe[bool]
    signatures_updated: Maybe[datetime | None]


class Machine(Fact, frozen=True, kw_only=True):
    """Which machine this is."""

    hostname: str
    os_id: str
    """ID of os-release: "debian", "ubuntu", "fedora"."""
    os_like: tuple[str, ...]
    """ID_LIKE of os-release."""
    os_version: str
    os_name: str
    kernel: str | None
    """None for an image that is not running."""
    architecture: str | None
    boot_id: str | None
    inside: str | None
    """"container" or "vm" where the machine is one itself."""


class Peer(Fact, frozen=True, kw_only=True):
    """Somebody who is connected to a port of the machine now."""

    protocol: Protocol
    port: PortNumber
    """The machine's own."""
    address: str
    connections: int


class Sight(Fact, frozen=True, kw_only=True):
    """With which eyes the survey looked, so that a reader knows what it could not see."""

    root: str
    """"/" for the running machine, else the directory of the image."""
    euid: int
    owners_by: str
    """"bpf" (the kernel's own list of open files), "proc" (a walk of /proc), or "none"."""
    gaps: tuple[str, ...]
    """What could not be seen, each a sentence with its reason."""


class Snapshot(Fact, frozen=True, kw_only=True):
    """Everything known about a machine at one moment; the only input of all judging."""

    schema: Annotated[int, Meta(ge=1)] = SCHEMA_VERSION
    portward: str
    """Version of the portward that took it."""
    taken: datetime
    machine: Machine
    sight: Sight
    listeners: Maybe[tuple[Listener, ...]]
    namespaces: Maybe[tuple[Namespace, ...]]
    containers: Maybe[tuple[Container, ...]]
    inetd: Maybe[tuple[InetdLine, ...]]
    """Every enabled line of inetd and xinetd, whether or not its port is open now."""
    units: Maybe[tuple[Unit, ...]]
    running: Maybe[tuple[str, ...]] = NOT_LOOKED_UP
    """Names of the system's services that run now; units says more, but takes longer to read."""
    interfaces: Maybe[tuple[Interface, ...]]
    routes: Maybe[tuple[Route, ...]]
    firewall: Maybe[Firewall]
    sysctls: Maybe[tuple[Sysctl, ...]]
    packages: Maybe[tuple[Package, ...]]
    updates: Maybe[Updates]
    antivirus: Maybe[tuple[Antivirus, ...]]
    peers: Maybe[tuple[Peer, ...]] = NOT_SURVEYED
    """Established TCP connections to ports that something listens on."""
    files: dict[str, str] = {}
    """Text of the configuration files that a plan may edit, those that are there."""
    port_names: dict[str, str] = {}
    """/etc/services at the time: "22/tcp" -> "ssh"; only ports that a listener has."""


Json = dict[str, Any]
