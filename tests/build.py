"""Short ways to write the values that tests judge: a listener, a snapshot, a case.

Every default is a healthy, quiet Debian 12 server on which nothing is wrong, so a test names
only what it is about.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from portward.model.case import Case
from portward.model.host import (
    ExeState,
    Facing,
    Firewall,
    Interface,
    Listener,
    Machine,
    Package,
    Process,
    Route,
    Sight,
    Snapshot,
    Sysctl,
    Unit,
    Updates,
)
from portward.model.net import Family, Ports, Protocol
from portward.model.policy import Allowance, Outgoing, Policy, Profile, Sources
from portward.model.reaching import Deciding
from portward.model.service import Audience, Catalogue, Encryption, Role, Service
from portward.model.status import (
    Basis,
    Decider,
    Entrance,
    Exposure,
    Reach,
    Recognition,
    Scope,
    Verdict,
)
from portward.reach.exposure import Exposer

TAKEN = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = date(2026, 1, 15)

INPUT_DROP = (
    '{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}},'
    ' {"table": {"family": "inet", "name": "filter", "handle": 1}},'
    ' {"chain": {"family": "inet", "table": "filter", "name": "input", "handle": 1,'
    ' "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}}]}'
)


def process(exe: str = "/usr/sbin/sshd", **facts: Any) -> Process:
    """A process of root that runs exe."""
    given: dict[str, Any] = {
        "pid": 700,
        "name": exe.rpartition("/")[2][:15],
        "exe": exe,
        "exe_state": ExeState.PRESENT,
        "cmdline": (exe,),
        "uid": 0,
        "user": "root",
        "started": TAKEN - timedelta(days=1),
    }
    return Process(**given | facts)


def listener(port: str = "22/tcp", address: str = "0.0.0.0", **facts: Any) -> Listener:
    """A socket on port that sshd holds; ``exe="/usr/bin/x"`` is short for its process."""
    number, _, protocol = port.partition("/")
    family = Family.IPV6 if ":" in address else Family.IPV4
    given: dict[str, Any] = {
        "protocol": Protocol(protocol),
        "family": Family.LINK if protocol == Protocol.PACKET else family,
        "address": address,
        "port": int(number),
        "uid": 0,
        "inodes": (4000 + int(number),),
        "process": process(facts.pop("exe", "/usr/sbin/sshd")),
        "unit": "ssh.service",
        "package": "openssh-server",
        "container": None,
    }
    return Listener(**given | facts)


def unit(name: str = "ssh.service", **facts: Any) -> Unit:
    """A unit of the system manager, enabled and active."""
    given: dict[str, Any] = {
        "name": name,
        "manager": "system",
        "state": "enabled",
        "active": "active",
        "file": f"/lib/systemd/system/{name}",
        "package": None,
    }
    return Unit(**given | facts)


def package(name: str, version: str = "1.0-1", **facts: Any) -> Package:
    """An installed package for amd64."""
    return Package(name=name, version=version, architecture="amd64", **facts)


def interface(name: str = "eth0", **facts: Any) -> Interface:
    """An interface with a public address that the default route leaves by."""
    given: dict[str, Any] = {
        "index": 2,
        "kind": "physical",
        "up": True,
        "addresses": ("198.51.100.7/24",),
        "facing": Facing.INTERNET,
        "facing_reason": "it has the public address 198.51.100.7",
        "default_route": True,
        "promiscuous": False,
    }
    return Interface(name=name, **given | facts)


LOOPBACK = interface(
    "lo",
    index=1,
    kind="loopback",
    addresses=("127.0.0.1/8", "::1/128"),
    facing=Facing.HOST,
    facing_reason="loopback",
    default_route=False,
)


def sysctl(
    key: str, live: str | None, boot: str | None = None, source: str | None = None
) -> Sysctl:
    """A kernel setting."""
    return Sysctl(key=key, live=live, boot=boot, boot_source=source)


def firewall(**facts: Any) -> Firewall:
    """A ruleset of one nft table whose input chain drops by default."""
    given: dict[str, Any] = {
        "nft": INPUT_DROP,
        "iptables": None,
        "ip6tables": None,
        "iptables_legacy": None,
        "ip6tables_legacy": None,
        "managers": (),
    }
    return Firewall(**given | facts)


def updates(**facts: Any) -> Updates:
    """A machine that updates itself and has nothing left to install."""
    given: dict[str, Any] = {
        "manager": "apt",
        "automatic": True,
        "automatic_reason": "unattended-upgrades is on",
        "lists_updated": TAKEN - timedelta(hours=6),
        "pending": (),
        "stale": (),
        "reboot_required": False,
    }
    return Updates(**given | facts)


def machine(**facts: Any) -> Machine:
    """A Debian 12."""
    given: dict[str, Any] = {
        "hostname": "web1",
        "os_id": "debian",
        "os_like": (),
        "os_version": "12",
        "os_name": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "6.1.0-18-amd64",
        "architecture": "x86_64",
        "boot_id": "00000000-0000-4000-8000-000000000000",
        "inside": None,
    }
    return Machine(**given | facts)


def snapshot(*listeners: Listener, **facts: Any) -> Snapshot:
    """Take a snapshot, as root, of a machine with these listeners."""
    given: dict[str, Any] = {
        "portward": "0",
        "taken": TAKEN,
        "machine": machine(),
        "sight": Sight(root="/", euid=0, owners_by="bpf", gaps=()),
        "listeners": listeners,
        "namespaces": (),
        "containers": (),
        "inetd": (),
        "units": (),
        "running": (),
        "interfaces": (LOOPBACK, interface()),
        "routes": (
            Route(
                destination="default",
                family=Family.IPV4,
                gateway="198.51.100.1",
                device="eth0",
                metric=None,
            ),
        ),
        "firewall": firewall(),
        "sysctls": (),
        "packages": (),
        "updates": updates(),
        "antivirus": (),
    }
    return Snapshot(**given | facts)


def service(name: str = "ssh", *ports: str, **facts: Any) -> Service:
    """A service of the catalogue: encrypted, for a private network."""
    given: dict[str, Any] = {
        "title": name.upper(),
        "ports": tuple(map(Ports.parse, ports)),
        "encryption": Encryption.ALWAYS,
        "audience": Audience.PRIVATE,
        "risk": f"An open {name} port is a risk.",
        "instead": f"Do without {name}.",
    }
    return Service(name=name, **given | facts)


def role(name: str = "web-server", **facts: Any) -> Role:
    """A role that needs nothing."""
    given: dict[str, Any] = {"title": name, "summary": f"A {name}.", "needs": ()}
    return Role(name=name, **given | facts)


def allowance(*ports: str, **facts: Any) -> Allowance:
    """Ports that the role web-server opens for anyone; ``audience=`` narrows it."""
    audience = facts.pop("audience", Audience.ANYONE)
    given: dict[str, Any] = {
        "service": None,
        "ports": tuple(map(Ports.parse, ports)),
        "sources": Sources(audience=audience, label=str(audience)),
        "reason": "web pages",
        "origin": "role web-server",
    }
    return Allowance(**given | facts)


def sources(networks: tuple[str, ...] = (), label: str = "any") -> Sources:
    """Anyone, or networks that somebody chose."""
    audience = Audience.PRIVATE if networks else Audience.ANYONE
    return Sources(audience=audience, networks=networks, label=label)


def outgoing(*ports: str, **facts: Any) -> Outgoing:
    """Ports that may be sent to, anywhere."""
    given: dict[str, Any] = {
        "service": None,
        "ports": tuple(map(Ports.parse, ports)),
        "to": sources(),
        "reason": "packages",
        "origin": "policy.toml:9",
    }
    return Outgoing(**given | facts)


def policy(*allowances: Allowance, **facts: Any) -> Policy:
    """The policy of a web server."""
    given: dict[str, Any] = {
        "roles": (role(),),
        "profile": Profile.SERVER,
        "networks": {},
        "suppressions": (),
        "source": "/etc/portward/policy.toml",
    }
    return Policy(allowances=allowances, **given | facts)


def catalogue(*services: Service, **facts: Any) -> Catalogue:
    """A catalogue of these services, without hints."""
    given: dict[str, Any] = {"roles": {}, "backdoors": ()}
    return Catalogue(services={one.name: one for one in services}, **given | facts)


def exposure(  # noqa: PLR0913 - one for each field that a test may be about
    of: Listener,
    known_as: Service | None = None,
    *,
    scope: Scope = Scope.EVERYONE,
    verdict: Verdict = Verdict.NOT_ALLOWED,
    allowance: Allowance | None = None,
    basis: Basis = Basis.UNIT,
    networks: tuple[str, ...] = (),
) -> Exposure:
    """A listener that everyone reaches by eth0 and no role needs; NOBODY: a rule drops it."""
    known = Recognition(service=known_as, basis=basis, usual_port=True) if known_as else None
    return Exposure(
        listener=of,
        recognition=known,
        reach=reach(scope, *networks, families=_FAMILIES[of.family]),
        verdict=verdict,
        allowance=allowance,
    )


_FAMILIES = {
    Family.IPV4: (Family.IPV4,),
    Family.IPV6: (Family.IPV6,),
    Family.DUAL: (Family.IPV4, Family.IPV6),
    Family.LINK: (),
}


def reach(
    scope: Scope, *networks: str, families: tuple[Family, ...] = (Family.IPV4, Family.IPV6)
) -> Reach:
    """Who gets through eth0, by a rule that says so."""
    shut = scope == Scope.NOBODY
    rule = Decider(
        device="eth0",
        rule=Deciding(
            verdict="drop" if shut else "accept",
            words="drop" if shut else "tcp dport 80 accept",
            family="inet",
            table="filter",
            chain="input",
            rule="drop" if shut else "tcp dport 80 accept",
            handle=7,
        ),
    )
    entrances = tuple(Entrance(device="eth0", family=one) for one in families)
    opened = scope in {Scope.EVERYONE, Scope.NETWORKS}
    return Reach(
        scope=scope,
        reason=f"the test says {scope}",
        networks=networks,
        decided_by=(rule,) if opened or shut else (),
        entrances=entrances if opened else (),
    )


def case(*exposures: Exposure, **facts: Any) -> Case:
    """Judge these exposures; words that are no field of Case are fields of its snapshot."""
    own = {name: facts.pop(name) for name in Case.__struct_fields__ if name in facts}
    taken = own.get("snapshot") or snapshot(*(one.listener for one in exposures), **facts)
    given: dict[str, Any] = {
        "snapshot": taken,
        "defaults": Exposer(taken).defaults(),
        "policy": policy(),
        "catalogue": catalogue(*(one.recognition.service for one in exposures if one.recognition)),
        "exposures": exposures,
        "day": DAY,
    }
    return Case(**given | own)
