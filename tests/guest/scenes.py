"""Machines whose firewalls were set up by real tools, each with its own commands, in a guest."""

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from guest import probing
from guest.machine import Guest

PACKAGES = (
    "ufw",
    "iptables",
    "firewalld",
    "docker.io",
    "podman",
    "crun",
    "netavark",
    "aardvark-dns",
    "containernetworking-plugins",
    "libvirt-daemon-system",
    "libvirt-clients",
    "libvirt-daemon-config-network",
    "dnsmasq-base",
    "fail2ban",
    "nftables",
    "busybox-static",
    "python3-systemd",
)
_UNITS = (
    *("ufw", "firewalld", "fail2ban", "nftables"),
    *("docker.service", "docker.socket", "containerd"),
    *("libvirtd.service", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket"),
)
_OPEN = ("22/tcp", "80/tcp", "443/tcp", "445/tcp", "5432/tcp", "8000/tcp", "9100/tcp")
_OPEN_UDP = ("137/udp", "161/udp", "5353/udp")
STRANGERS = ("203.0.113.77", "198.51.100.9", "2001:db8:77::7", "2001:db8:88::8")
"""Sources from far away (RFC 5737, RFC 3849)."""


class Stand(NamedTuple):
    """A place from which ports are knocked at."""

    device: str
    """The machine's interface that packets from there come in by."""
    leave_by: str
    sources: tuple[str, ...]
    inside: int | None = None
    """A process of the guest in whose network the place is; None: it is on the host."""
    beside: tuple[str, ...] = ()
    """Addresses that packets from there reach without the machine."""


class Goal(NamedTuple):
    """What is knocked at."""

    address: str
    port: int
    protocol: str = "tcp"
    limited: bool = False
    """A rate limit, or the like, lets only some through."""


class Net:
    """The guest's two networks: eth0 to strangers as well, lan0 to neighbours alone."""

    def __init__(self, guest: Guest) -> None:
        """Add what the guest does not have by itself."""
        self.guest = guest
        number, name = guest.number, guest.name
        self.eth0, self.lan0 = f"pwv{number}", f"pwl{number}"
        self.own = (guest.address, f"fd99:{number}::2")
        self.own_lan = (f"10.98.{number}.2", f"fd98:{number}::2")
        near = (guest.gateway, f"fd99:{number}::1")
        near_lan = (f"10.98.{number}.1", f"fd98:{number}::1")
        _host(f"ip link add {self.lan0} type veth peer name lan0 netns {name}")
        _host(f"ip addr add {near_lan[0]}/24 dev {self.lan0}")
        _host(f"ip addr add {near_lan[1]}/64 dev {self.lan0} nodad")
        _host(f"ip link set {self.lan0} up")
        for stranger in STRANGERS:
            _host(f"ip addr add {stranger} dev {self.eth0} nodad")
        guest.run(*f"ip addr add {self.own_lan[0]}/24 dev lan0".split())
        guest.run(*f"ip addr add {self.own_lan[1]}/64 dev lan0 nodad".split())
        guest.run("ip", "link", "set", "lan0", "up")
        # From the one network to the machine's address on the other, and to what lies behind it.
        _host(f"ip -6 route add {self.own[1]} via {self.own_lan[1]} dev {self.lan0} metric 9000")
        _host(f"ip -6 route add {self.own_lan[1]} via {self.own[1]} dev {self.eth0} metric 9000")
        self.behind = f"10.97.{number}"  # of containers and virtual machines
        _host(f"ip route add {self.behind}.0/24 via {self.own[0]} dev {self.eth0}")
        _host(f"ip route add {self.behind}.0/24 via {self.own_lan[0]} dev {self.lan0} metric 9000")
        self.stands = [
            Stand("eth0", self.eth0, (*near, *STRANGERS)),
            Stand("lan0", self.lan0, near_lan),
        ]

        """Networks of containers and virtual machines get addresses that begin so."""

    def close(self) -> None:
        """Remove what the guest would leave on the host."""
        subprocess.run(["ip", "link", "del", self.lan0], check=False, capture_output=True)

    def goals(self, *words: str, limited: bool = False) -> list[Goal]:
        """Name ports of the machine itself, at its addresses on eth0."""
        goals = []
        for word, address in product(words, self.own):
            port, _, protocol = word.partition("/")
            goals.append(Goal(address, int(port), protocol, limited))
        return goals


class Scene(NamedTuple):
    """A machine as one set of tools leaves it."""

    tools: tuple[str, ...]
    """Packages whose versions matter."""
    set_up: Callable[[Guest, Net], tuple[list[Stand], list[Goal]]]
    """Returns more places to knock from, and everything to knock at."""


def _host(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)


def prepare(guest: Guest) -> None:
    """Keep every tool of the image from starting by itself; call it before the boot."""
    for wants in (guest.tree / "etc/systemd/system").glob("*.wants/*"):
        if wants.name.startswith(("docker", "containerd", "libvirt", "virt", "firewalld")) or (
            wants.name in {"ufw.service", "fail2ban.service", "nftables.service"}
            or wants.name.startswith("podman")
        ):
            wants.unlink()
    here = Path(__file__).parent
    for script in ("answering.py", "probing.py"):
        (guest.tree / "root" / script).write_text((here / script).read_text())


def serve(guest: Guest, *ports: str, inside: int | None = None) -> None:
    """Answer on ports, in the guest's network or that of one of its processes."""
    enter = () if inside is None else ("nsenter", f"--net=/proc/{inside}/ns/net")
    unit = f"--unit=answering{'' if inside is None else f'-{inside}'}"
    script = ("python3", "/root/answering.py", *ports)
    guest.run("systemd-run", "--quiet", unit, *enter, *script)


def reset(guest: Guest) -> None:
    """Take away what the last scene left."""
    if guest.run("systemctl", "is-active", "docker", check=False).returncode == 0:
        guest.run("docker", "rm", "-f", "shop", "private", "app", check=False)
        guest.run("docker", "network", "rm", "apps", check=False)
    guest.run("podman", "rm", "--all", "--force", "--time=0", check=False)
    guest.run("podman", "network", "rm", "apps", check=False)
    if "ENABLED=yes" in (guest.tree / "etc/ufw/ufw.conf").read_text():
        guest.run("ufw", "--force", "reset")
    guest.run("systemctl", "stop", *_UNITS, check=False)
    guest.run("systemctl", "stop", "answering*")
    guest.run("nft", "flush", "ruleset")
    for tool in ("iptables-legacy", "ip6tables-legacy"):
        _feed(guest, "*filter\n:INPUT ACCEPT\nCOMMIT\n", f"{tool}-restore")
    guest.run(
        "bash",
        "-c",
        "ip -o link | grep -oP '^\\d+: \\K[^:@]+' | while read -r name; do"
        " case $name in lo|eth0|lan0) ;; *) ip link del $name ;; esac; done",
    )
    for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        guest.run("sysctl", "-qw", f"{key}=0")
    guest.run("ip", "-6", "route", "replace", "default", "via", f"fd99:{guest.number}::1")


def knock(guest: Guest, stands: list[Stand], goals: list[Goal]) -> list[dict[str, Any]]:
    """Knock from everywhere at everything; what probing.probe() takes, with "reached"."""
    with ThreadPoolExecutor() as pool:
        groups = {stand.inside for stand in stands}
        done = pool.map(
            lambda inside: _knock(
                guest, inside, [stand for stand in stands if stand.inside == inside], goals
            ),
            groups,
        )
        return [one for group in done for one in group]


def _knock(
    guest: Guest, inside: int | None, stands: list[Stand], goals: list[Goal]
) -> list[dict[str, Any]]:
    asked = [
        {"device": stand.device, "leave_by": stand.leave_by, "source": source} | goal._asdict()
        for stand in stands
        for source, goal in product(stand.sources, goals)
        if (":" in source) == (":" in goal.address) and goal.address not in stand.beside
    ]
    if inside is None:
        answers = probing.probe(asked)
    else:
        enter = ("nsenter", f"--net=/proc/{inside}/ns/net")
        script = ("python3", "/root/probing.py", json.dumps(asked))
        answers = json.loads(guest.run(*enter, *script).stdout)
    return [{**one, "reached": answer} for one, answer in zip(asked, answers, strict=True)]


# --- the scenes ------------------------------------------------------------------------------


def _all(net: Net) -> list[Goal]:
    return net.goals(*_OPEN, *_OPEN_UDP)


def bare(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """No firewall at all; an address of one interface is reached by the other as well."""
    serve(guest, *_OPEN, *_OPEN_UDP)
    lan = [Goal(address, 80) for address in net.own_lan]
    return [], [*_all(net), *lan]


def _ufw(guest: Guest, *commands: str) -> None:
    for command in commands:
        guest.run("ufw", *command.split("|"))
    guest.run("ufw", "--force", "enable")


def ufw(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """Rules of every kind that ufw writes, for both families."""
    serve(guest, *_OPEN, *_OPEN_UDP)
    _ufw(
        guest,
        "deny|from|198.51.100.9",
        "allow|WWW Full",
        "limit|22/tcp",
        "allow|from|203.0.113.0/24|to|any|app|CIFS",
        "allow|in|on|lan0|to|any|port|5432|proto|tcp",
        "allow|from|2001:db8:77::/48|to|any|port|161|proto|udp",
        "reject|8000/tcp",
        f"allow|from|{guest.gateway}|to|{guest.address}|port|9000:9200|proto|tcp",
    )
    goals = [goal for goal in _all(net) if goal.port != 22]
    return [], [*goals, *net.goals("22/tcp", limited=True)]


def firewalld(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """Zones by interface and by source, services, rich rules, an IP set, a forwarded port."""
    serve(guest, *_OPEN, *_OPEN_UDP)
    guest.run("firewall-offline-cmd", "--new-ipset=office", "--type=hash:net")
    guest.run("firewall-offline-cmd", "--ipset=office", "--add-entry=203.0.113.64/28")
    for zone, option in (
        ("internal", "--add-interface=lan0"),
        ("internal", "--add-port=161/udp"),
        ("trusted", "--add-source=2001:db8:88::/48"),
        ("public", "--add-service=http"),
        ("public", "--add-service=https"),
        ("public", "--add-port=5353/udp"),
        ("public", "--add-forward-port=port=8000:proto=tcp:toport=80"),
        *(("public", f"--add-rich-rule=rule {rule}") for rule in _RICH),
    ):
        guest.run("firewall-offline-cmd", f"--zone={zone}", option)
    _start_firewalld(guest)
    goals = [goal for goal in _all(net) if goal.port != 9100]
    return [], [*goals, *net.goals("9100/tcp", limited=True)]


def _start_firewalld(guest: Guest) -> None:
    guest.run("systemctl", "start", "firewalld")
    guest.wait_for("firewall-cmd", "--state")  # the rules come after the start


def _docker(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """Start docker with containers on the default bridge and on a network of their own."""
    guest.allow_containers()
    settings = {"cgroup-parent": f"/{guest.name}", "bip": f"{net.behind}.1/25"}
    (guest.tree / "etc/docker/daemon.json").write_text(json.dumps(settings))
    guest.run("systemctl", "restart", "docker")
    guest.run("docker", "import", _box(guest) + ".tar", "box")
    guest.run("docker", "network", "create", f"--subnet={net.behind}.128/25", "apps")
    stands, goals = [], []
    for name, *options in (
        ("shop", "-p", "8080:80", "-p", "8161:161/udp"),
        ("private", "-p", "127.0.0.1:8081:80"),
        ("app", "--network=apps", "-p", "8082:80", "-p", f"{net.own_lan[0]}:8083:80"),
    ):
        idle = ("box", "/bin/busybox", "sleep", "3600")
        guest.run("docker", "run", "-d", f"--name={name}", *options, *idle)
        said = guest.run("docker", "inspect", name).stdout
        (found,) = json.loads(said)
        ((network, attached),) = found["NetworkSettings"]["Networks"].items()
        address, process = attached["IPAddress"], found["State"]["Pid"]
        serve(guest, "80/tcp", "9100/tcp", "161/udp", inside=process)
        goals += [Goal(address, 80), Goal(address, 9100), Goal(address, 161, "udp")]
        device = "docker0" if network == "bridge" else f"br-{attached['NetworkID'][:12]}"
        stands.append(Stand(device, "eth0", (address,), process, (address,)))
    bridged = (stands[0].sources[0], stands[1].sources[0])
    stands = [
        stand._replace(beside=bridged) if stand.device == "docker0" else stand for stand in stands
    ]
    published = net.goals("8080/tcp", "8081/tcp", "8082/tcp", "8083/tcp", "8161/udp")
    published.append(Goal(net.own_lan[0], 8083))
    return stands, [*goals, *published]


def docker(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """Published ports on a machine without a firewall of its own."""
    serve(guest, "22/tcp", "161/udp")
    stands, goals = _docker(guest, net)
    return stands, [*goals, *net.goals("22/tcp", "161/udp")]


def docker_and_ufw(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """Published ports go past ufw, and what docker-proxy takes does not."""
    serve(guest, "22/tcp", "161/udp")
    _ufw(guest, "allow|22/tcp")
    stands, goals = _docker(guest, net)
    return stands, [*goals, *net.goals("22/tcp", "161/udp")]


def netavark(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """Published ports of podman, past a table that drops input."""
    _feed(guest, _INPUT_DROP, "nft", "-f")
    return _podman(guest, net, "netavark")


def cni(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """Published ports of podman with its older networks."""
    return _podman(guest, net, "cni")


def _podman(guest: Guest, net: Net, backend: str) -> tuple[list[Stand], list[Goal]]:
    serve(guest, "22/tcp", "161/udp")
    containers = guest.tree / "etc/containers"
    (containers / "containers.conf").write_text(f'[network]\nnetwork_backend="{backend}"\n')
    storage = '[storage]\ndriver="vfs"\nrunroot="/run/storage"\ngraphroot="/root/storage"\n'
    (containers / "storage.conf").write_text(storage)
    guest.run("podman", "network", "create", f"--subnet={net.behind}.0/25", "apps")
    (network,) = json.loads(guest.run("podman", "network", "inspect", "apps").stdout)
    root = _box(guest)
    inside = {}
    for name, *publish in (
        ("web", "-p", "8092:80", "-p", f"{net.own_lan[0]}:8093:80"),
        ("idle",),
    ):
        run = ("podman", "run", "-d", "--cgroups=disabled", f"--name={name}", "--network=apps")
        guest.run(*run, *publish, "--rootfs", root, "/bin/busybox", "sleep", "3600")
        (found,) = json.loads(guest.run("podman", "inspect", name).stdout)
        attached = found["NetworkSettings"]["Networks"]["apps"]
        inside[name] = (attached["IPAddress"], found["State"]["Pid"])
    web, process = inside["web"]
    serve(guest, "80/tcp", "9100/tcp", inside=process)
    # Not from web: what comes back by the port of the bridge it left by, the bridge drops.
    idle, process = inside["idle"]
    stand = Stand(network["network_interface"], "eth0", (idle,), process, (web,))
    goals = [Goal(web, 80), Goal(web, 9100), Goal(net.own_lan[0], 8093)]
    return [stand], [*goals, *net.goals("22/tcp", "161/udp", "8092/tcp", "8093/tcp")]


def docker_and_firewalld(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """Docker puts its bridges into a zone of firewalld, and its rules beside firewalld's."""
    serve(guest, "22/tcp", "161/udp")
    _start_firewalld(guest)
    stands, goals = _docker(guest, net)
    return stands, [*goals, *net.goals("22/tcp", "161/udp")]


def libvirt(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """The network "default" of libvirt with a machine in it."""
    serve(guest, "22/tcp", "80/tcp", "161/udp")
    guest.run("systemctl", "start", "libvirtd")
    virsh = ("virsh", "--connect=network:///system")
    described = (guest.tree / "etc/libvirt/qemu/networks/default.xml").read_text()
    (guest.tree / "root/default.xml").write_text(described.replace("192.168.122", net.behind))
    guest.run(*virsh, "net-undefine", "default")
    guest.run(*virsh, "net-define", "/root/default.xml")
    guest.run(*virsh, "net-start", "default")
    guest.run("systemd-run", "--quiet", "--unit=answering-vm", "unshare", "--net", "sleep", "3600")
    shown = guest.run("systemctl", "show", "--property=MainPID", "--value", "answering-vm")
    process, address = int(shown.stdout), f"{net.behind}.10"
    enter = ("nsenter", f"--net=/proc/{process}/ns/net")
    for command in (
        f"ip link add vnet0 type veth peer name eth0 netns {process}",
        "ip link set vnet0 master virbr0 up",
    ):
        guest.run(*command.split())
    for command in (
        f"ip addr add {address}/24 dev eth0",
        "ip link set eth0 up",
        f"ip route add default via {net.behind}.1",
    ):
        guest.run(*enter, *command.split())
    state = "/sys/class/net/vnet0/brport/state"
    guest.wait_for("grep", "-q", "3", state)  # BR_STATE_FORWARDING, after the spanning tree's pause
    serve(guest, "80/tcp", "161/udp", inside=process)
    stand = Stand("virbr0", "eth0", (address,), process, (address,))
    goals = [Goal(address, 80), Goal(address, 161, "udp"), Goal(f"{net.behind}.1", 80)]
    return [stand], [*goals, *net.goals("22/tcp", "80/tcp", "161/udp")]


def fail2ban(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """Banned addresses of both families, by iptables and by nftables."""
    serve(guest, *_OPEN, *_OPEN_UDP)
    (guest.tree / "etc/fail2ban/jail.local").write_text(_JAILS)
    (guest.tree / "var/log/auth.log").touch()
    guest.run("systemctl", "start", "fail2ban")
    guest.wait_for("fail2ban-client", "ping")
    for jail, address in (
        ("sshd", "203.0.113.77"),
        ("sshd", "2001:db8:77::7"),
        ("web", "198.51.100.9"),
        ("web", "2001:db8:88::8"),
    ):
        guest.run("fail2ban-client", "set", jail, "banip", address)
        guest.wait_for("sh", "-c", f"nft list ruleset | grep -q {address}")  # it bans by and by
    return [], _all(net)


def nftables(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """A file that a person wrote, with what nftables alone can do."""
    serve(guest, *_OPEN, *_OPEN_UDP)
    (guest.tree / "etc/nftables.conf").write_text(_NFTABLES)
    guest.run("systemctl", "start", "nftables")
    goals = [goal for goal in _all(net) if goal.port != 22]
    lan = [Goal(address, 9100) for address in net.own_lan]
    return [], [*goals, *lan, *net.goals("22/tcp", limited=True)]


def legacy(guest: Guest, net: Net) -> tuple[list[Stand], list[Goal]]:
    """Rules of the old iptables, which nft does not show."""
    serve(guest, *_OPEN, *_OPEN_UDP)
    for tool, near in (("iptables", "203.0.113.64/26"), ("ip6tables", "2001:db8:77::/48")):
        _feed(guest, _LEGACY.format(near=near), f"{tool}-legacy-restore")
    return [], _all(net)


def _feed(guest: Guest, text: str, *command: str) -> None:
    """Give a file with rules to a command."""
    (guest.tree / "root/rules").write_text(text)
    guest.run(*command, "/root/rules")


def _box(guest: Guest) -> str:
    """Make the smallest root of a container, and an archive of it."""
    root = guest.tree / "root/box"
    (root / "bin").mkdir(parents=True, exist_ok=True)
    (root / "bin/busybox").write_bytes((guest.tree / "bin/busybox").read_bytes())
    (root / "bin/busybox").chmod(0o755)
    guest.run("tar", "-C", "/root/box", "-cf", "/root/box.tar", ".")
    return "/root/box"


_RICH = (
    "source ipset=office port port=445 protocol=tcp accept",
    "priority=-10 family=ipv4 source address=198.51.100.9 drop",
    "family=ipv4 source address=203.0.113.0/24 service name=postgresql accept",
    "family=ipv6 source address=2001:db8:77::/48 service name=https reject",
    "port port=9100 protocol=tcp accept limit value=3/m",
)
_INPUT_DROP = """\
table inet secure {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iif lo accept
    meta l4proto { icmp, ipv6-icmp } accept
    tcp dport 22 accept
  }
}
"""
_JAILS = """\
[DEFAULT]
backend = polling
[sshd]
enabled = true
logpath = /var/log/auth.log
port = 22
[web]
enabled = true
filter = sshd
logpath = /var/log/auth.log
port = 80,443
banaction = nftables-multiport
"""
_NFTABLES = """\
#!/usr/sbin/nft -f
flush ruleset
define office = { 203.0.113.64/26, 10.98.0.0-10.98.255.255 }
table inet filter {
  set office4 { type ipv4_addr; flags interval; elements = $office; }
  set office6 { type ipv6_addr; flags interval; elements = { 2001:db8:77::/48, fd98::/16 }; }
  set pairs {
    type ipv4_addr . inet_service; flags interval
    elements = { 198.51.100.0/24 . 8000-8100, 203.0.113.77 . 445 }
  }
  map services {
    type inet_proto . inet_service : verdict
    elements = { tcp . 80 : accept, tcp . 443 : jump web, udp . 5353 : drop, udp . 137 : accept }
  }
  chain web {
    ip saddr 198.51.100.9 return
    ip6 saddr & ffff:ffff:ffff:: == 2001:db8:88:: reject
    accept
  }
  chain office {
    tcp dport { 5432, 9100 } accept
    udp dport 161 goto audited
  }
  chain audited {
    counter meta mark set mark or 0x10
  }
  chain early {
    type filter hook prerouting priority raw; policy accept;
    iifname "eth*" ip saddr 198.51.100.9 tcp dport 9100 notrack
    fib saddr . iif oif missing drop
  }
  chain input {
    type filter hook input priority filter; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    iif lo accept
    meta l4proto { icmp, ipv6-icmp } accept
    ct state untracked accept
    tcp dport 22 ct state new limit rate 4/minute burst 4 packets accept
    meta l4proto . th dport vmap @services
    ip saddr . tcp dport @pairs accept
    ip saddr @office4 jump office
    ip6 saddr @office6 jump office
    meta mark & 0x10 == 0x10 accept
    ct status dnat accept
    tcp flags & (fin|syn|rst|ack) == syn meta nfproto ipv4 reject with tcp reset
  }
}
table ip nat {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    iifname lan0 tcp dport 8000 redirect to :443
    ip saddr 203.0.113.0/24 fib daddr type local tcp dport 443 dnat to :9100
  }
}
table netdev outside {
  chain wire {
    type filter hook ingress device eth0 priority 0; policy accept;
    ip saddr 203.0.113.77 udp dport 137 drop
  }
}
"""
_LEGACY = """\
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:OPEN - [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -p ipv6-icmp -j ACCEPT
-A INPUT -i lan+ -j OPEN
-A INPUT -s {near} -p tcp -m multiport --dports 22,80,440:450 -j ACCEPT
-A INPUT -p udp -m udp --dport 161 -j OPEN
-A OPEN ! -i lan0 -p tcp -j RETURN
-A OPEN ! -s {near} -j ACCEPT
COMMIT
"""


SCENES: dict[str, Scene] = {
    "bare": Scene((), bare),
    "ufw": Scene(("ufw", "iptables"), ufw),
    "firewalld": Scene(("firewalld", "nftables"), firewalld),
    "nftables": Scene(("nftables",), nftables),
    "legacy": Scene(("iptables",), legacy),
    "fail2ban": Scene(("fail2ban", "iptables", "nftables"), fail2ban),
    "libvirt": Scene(("libvirt-daemon", "iptables"), libvirt),
    "podman": Scene(("podman", "netavark", "nftables", "iptables"), netavark),
    "podman-cni": Scene(("podman", "containernetworking-plugins", "iptables"), cni),
    "docker": Scene(("docker.io", "iptables"), docker),
    "docker-and-ufw": Scene(("docker.io", "ufw", "iptables"), docker_and_ufw),
    "docker-and-firewalld": Scene(("docker.io", "firewalld", "iptables"), docker_and_firewalld),
}
