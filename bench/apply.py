"""What it costs to make the firewall of a policy and load it, beside ufw and firewalld.

The policy allows one port from more and more single addresses. Everything is loaded in network
namespaces of this benchmark's own; ufw and firewalld run in a Debian of their own, over an overlay
that is forgotten. Then bytes travel while a large table is loaded, and the longest gap is measured.
"""

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from portward import __version__
from portward.backends.nftables import OwnTable, table
from portward.model.host import Facing, Interface, Machine, Sight, Snapshot
from portward.model.net import Ports, Protocol
from portward.model.policy import Allowance, Policy, Profile, Sources
from portward.model.service import Audience
from portward.model.unknown import NOT_SURVEYED

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from guest.machine import image
from own_network import in_own_network, run

RUNS = 5
SIZES = (10, 1_000, 100_000)
LIMIT = 60.0
"""Seconds that a tool is given; what it has not done by then is extrapolated, and said so."""
SEED = 20_261
PORT = 443
CLONE_NEWNS = 0x20000
PEER, OWN = "10.77.0.2", "10.77.0.1"


class Cost(NamedTuple):
    """Seconds, each the median of some runs, or a text where it took too long."""

    make: str
    load: str


def addresses(count: int) -> tuple[str, ...]:
    """Return different addresses all over IPv4, the same in every run."""
    chance = random.Random(SEED)  # noqa: S311 - reproducible, and no secret
    numbers = chance.sample(range(1 << 24, 223 << 24), count)
    return tuple(".".join(str(one >> shift & 255) for shift in (24, 16, 8, 0)) for one in numbers)


def policy(networks: tuple[str, ...]) -> Policy:
    """Return a policy that allows one port from networks."""
    allowed = Allowance(
        service=None,
        ports=(Ports(Protocol.TCP, PORT, PORT),),
        sources=Sources(audience=Audience.PRIVATE, networks=networks, label="customers"),
        reason="they pay",
        origin="/etc/portward/policy.toml:4",
    )
    return Policy(
        roles=(),
        profile=Profile.SERVER,
        networks={},
        allowances=(allowed,),
        suppressions=(),
        source="",
    )


def snapshot() -> Snapshot:
    """Return a machine with one interface of which nothing else matters."""
    eth0 = Interface(
        name="eth0",
        index=2,
        kind="physical",
        up=True,
        addresses=("198.51.100.7/24",),
        facing=Facing.INTERNET,
        facing_reason="made up",
        default_route=True,
        promiscuous=False,
    )
    return Snapshot(
        portward=__version__,
        taken=datetime.now(UTC),
        machine=Machine(
            hostname="bench",
            os_id="",
            os_like=(),
            os_version="",
            os_name="",
            kernel=None,
            architecture=None,
            boot_id=None,
            inside=None,
        ),
        sight=Sight(root="/", euid=0, owners_by="none", gaps=()),
        listeners=(),
        namespaces=(),
        containers=(),
        inetd=(),
        units=(),
        interfaces=(eth0,),
        routes=(),
        firewall=NOT_SURVEYED,
        sysctls=(),
        packages=(),
        updates=NOT_SURVEYED,
        antivirus=(),
    )


def made(networks: tuple[str, ...]) -> OwnTable:
    """Make the table, with its text."""
    own = table(policy(networks), snapshot(), date(2026, 1, 15))
    assert own.text  # noqa: S101 - written when it is asked for
    return own


def seconds(work: Callable[[], object]) -> float:
    """Measure one run."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def nft(text: str) -> None:
    """Load a ruleset as apply does."""
    subprocess.run(["nft", "-f", "-"], input=text.encode(), check=True)


# --- the three -----------------------------------------------------------------------------------


def portward(networks: tuple[str, ...]) -> tuple[Cost, float]:
    """Measure portward: made in process; loaded by nft, first and then in its own place."""
    make = median(seconds(lambda: made(networks)) for _ in range(RUNS))
    text = made(networks).text

    def loads() -> tuple[float, float]:
        return seconds(lambda: nft(text)), seconds(lambda: nft(text))

    pairs = [in_own_network(loads) for _ in range(RUNS)]
    first, again = (median(column) for column in zip(*pairs, strict=True))
    return Cost(f"{make:8.3f} s", f"{first:8.3f} s"), again


@contextmanager
def debian() -> Iterator[Path]:
    """Give a Debian with both tools over an overlay, seen by this thread alone."""
    lower = image("ufw", "iptables", "firewalld", "nftables")
    os.unshare(CLONE_NEWNS) if hasattr(os, "unshare") else _unshare(CLONE_NEWNS)
    run("mount --make-rprivate /")
    with tempfile.TemporaryDirectory(prefix="portward-bench-") as place:
        run(f"mount -t tmpfs tmpfs {place}")
        root = Path(place, "root")
        for name in ("upper", "work", "root"):
            Path(place, name).mkdir()
        layers = f"lowerdir={lower},upperdir={place}/upper,workdir={place}/work"
        run(
            f"mount -t overlay overlay -o {layers} {root}",
            f"mount -t proc proc {root}/proc",
            f"mount --rbind /sys {root}/sys",
            f"mount --rbind /dev {root}/dev",
            f"mount -t tmpfs tmpfs {root}/run",
        )
        try:
            yield root
        finally:
            run(f"umount --recursive --lazy {place}")


def _unshare(flag: int) -> None:
    """Do what os.unshare does since Python 3.12."""
    import ctypes  # noqa: PLC0415 - only before 3.12

    if ctypes.CDLL(None, use_errno=True).unshare(flag):
        raise OSError(ctypes.get_errno(), "unshare")


def inside(root: Path, *command: str, limit: float | None = None) -> None:
    """Run a command in the Debian; TimeoutExpired where it takes longer than the limit."""
    subprocess.run(["chroot", str(root), *command], check=True, capture_output=True, timeout=limit)


def ufw(networks: tuple[str, ...]) -> Cost:
    """Measure ufw: a command for each address while it is off, then it is switched on."""

    def work() -> Cost:
        with debian() as root:
            begin = time.perf_counter()
            done = 0
            for one in networks:
                words = ("allow", "proto", "tcp", "from", one, "to", "any", "port", str(PORT))
                inside(root, "ufw", *words)
                done += 1
                if time.perf_counter() - begin > LIMIT:
                    break
            took = time.perf_counter() - begin
            load = seconds(lambda: inside(root, "ufw", "--force", "enable"))
        if done == len(networks):
            return Cost(f"{took:8.1f} s", f"{load:8.2f} s")
        # Each command reads and writes all rules again, so this is what it takes at the least.
        least = took / done * len(networks)
        return Cost(f">{least / 60:5.0f} min ({done} done in {took:.0f} s)", "not measured")

    runs = RUNS if len(networks) <= SIZES[0] else 1
    return _middle([in_own_network(work) for _ in range(runs)])


def firewalld(networks: tuple[str, ...]) -> Cost:
    """Measure firewalld: an ipset from a file and a rich rule, then a reload of the daemon."""

    def work() -> Cost:
        with debian() as root:
            (root / "entries").write_text("\n".join(networks) + "\n")
            rule = f"rule family=ipv4 source ipset=customers port port={PORT} protocol=tcp accept"
            commands = (
                ("--new-ipset=customers", "--type=hash:net", "--option=maxelem=200000"),
                ("--ipset=customers", "--add-entries-from-file=/entries"),
                (f"--add-rich-rule={rule}",),
            )

            def configure() -> None:
                for words in commands:
                    inside(root, "firewall-offline-cmd", *words, limit=LIMIT)

            try:
                make = seconds(configure)
            except subprocess.TimeoutExpired:
                return Cost(f">{LIMIT:.0f} s, given up", "not measured")
            with daemon(root):
                try:
                    load = seconds(lambda: inside(root, "firewall-cmd", "--reload", limit=LIMIT))
                except subprocess.TimeoutExpired:
                    return Cost(f"{make:8.1f} s", f">{LIMIT:.0f} s, given up")
        return Cost(f"{make:8.1f} s", f"{load:8.2f} s")

    runs = RUNS if len(networks) <= SIZES[1] else 1
    return _middle([in_own_network(work) for _ in range(runs)])


@contextmanager
def daemon(root: Path) -> Iterator[None]:
    """Run firewalld with the bus that it needs."""
    (root / "run/dbus").mkdir(exist_ok=True)
    started = []
    try:
        for words in (["dbus-daemon", "--system", "--nofork"], ["firewalld", "--nofork"]):
            quiet = subprocess.DEVNULL
            started.append(
                subprocess.Popen(["chroot", str(root), *words], stdout=quiet, stderr=quiet)
            )
            time.sleep(1)
        end = time.monotonic() + LIMIT
        state = ["chroot", str(root), "firewall-cmd", "--state"]
        while subprocess.run(state, capture_output=True, check=False).returncode:
            if time.monotonic() > end:
                raise RuntimeError("firewalld does not start")
            time.sleep(0.2)
        yield
    finally:
        for one in reversed(started):
            one.terminate()
            one.wait(30)


def _middle(costs: list[Cost]) -> Cost:
    """Return the run in the middle; texts of the same width sort as their numbers."""
    return Cost(*(sorted(column)[len(costs) // 2] for column in zip(*costs, strict=True)))


# --- connections that are there ------------------------------------------------------------------

PING_PONG = """
import socket, sys, time
kind, address, end = sys.argv[1], sys.argv[2], time.monotonic() + float(sys.argv[3])
if kind == "calls":
    one = socket.create_connection((address, 443))
else:
    server = socket.create_server((address, 443))
    print("ready", flush=True)
    one, _ = server.accept()
one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
one.settimeout(20)
while time.monotonic() < end:
    one.sendall(b"x")
    if kind == "calls":
        one.recv(1)
    time.sleep(0.001)
"""
"""The other side: it calls and has every byte answered, or it is called and sends without end."""


def survival(*, called: bool, before: bool) -> str:
    """Say how long a connection was still while a large table was loaded.

    called: the other side opened it; else this machine did, and only receives. before: a table had
    been loaded when it was opened, so that the kernel tracked it.
    """

    def work() -> str:
        networks = (*addresses(SIZES[-1]), f"{PEER}/32")
        small, large = made((f"{PEER}/32",)).text, made(networks).text
        with subprocess.Popen(["unshare", "--net", "sleep", "60"]) as other:
            time.sleep(0.3)
            inside_it = f"nsenter --net=/proc/{other.pid}/ns/net"
            run(
                f"ip link add eth0 type veth peer name eth0 netns {other.pid}",
                f"ip address add {OWN}/24 dev eth0",
                "ip link set eth0 up",
                f"{inside_it} ip address add {PEER}/24 dev eth0",
                f"{inside_it} ip link set eth0 up",
            )
            if before:
                nft(small)
            kind, address = ("calls", OWN) if called else ("sends", PEER)
            script = [*inside_it.split(), sys.executable, "-c", PING_PONG, kind, address, "8"]
            server = socket.create_server((OWN, PORT)) if called else None
            with subprocess.Popen(
                script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as peer:
                if server:
                    one, _ = server.accept()
                else:
                    assert peer.stdout  # noqa: S101 - a pipe was asked for
                    peer.stdout.readline()
                    one = socket.create_connection((PEER, PORT))
                with one:
                    gaps = _gaps(one, large, answer=called)
                peer.terminate()
            if server:
                server.close()
            other.terminate()
        return gaps

    return in_own_network(work)


def _gaps(one: socket.socket, text: str, *, answer: bool) -> str:
    """Receive while the table is loaded; return the longest pause before, and from then on."""
    one.settimeout(4)
    pauses: dict[bool, float] = {False: 0.0, True: 0.0}
    begin = last = time.monotonic()
    loading: subprocess.Popen[bytes] | None = None
    data = b""
    with tempfile.TemporaryFile() as file:
        file.write(text.encode())
        file.seek(0)
        while time.monotonic() - begin < 6:  # noqa: PLR2004 - 2 s before, 4 s while and after
            if loading is None and time.monotonic() - begin > 2:  # noqa: PLR2004 - as above
                loading = subprocess.Popen(["nft", "-f", "-"], stdin=file)
            try:
                data = one.recv(64)
            except TimeoutError:
                data = b""
            now = time.monotonic()
            pauses[loading is not None] = max(pauses[loading is not None], now - last)
            if not data:
                break
            last = now
            if answer:
                one.sendall(data)
    if loading is None or loading.wait(60):
        return "the table was not loaded"
    before, after = (f"{pauses[one] * 1000:.0f} ms" for one in (False, True))
    stuck = "" if data else ", and then nothing more within 4 s"
    return f"longest pause before {before}, while it is loaded and after {after}{stuck}"


def main() -> None:
    """Print both tables."""
    print(f"\nOne port allowed from N addresses (medians of {RUNS} runs; ufw with 1,000 and more")
    print("addresses and firewalld with 100,000 once)")
    print(f"  {'N':>7}  {'tool':<10} {'make':<34} {'load':<24}")
    for size in SIZES:
        networks = addresses(size)
        own, again = portward(networks)
        print(f"  {size:7,}  {'portward':<10} {own.make:<34} {own.load} (again: {again:.3f} s)")
        for tool in (ufw, firewalld):
            cost = tool(networks)
            print(f"  {size:7,}  {tool.__name__:<10} {cost.make:<34} {cost.load:<24}", flush=True)
    print(f"\nA connection while a table of {SIZES[-1]:,} addresses is loaded")
    for called, before, what in (
        (True, True, "to this machine, tracked before"),
        (True, False, "to this machine, never tracked before"),
        (False, True, "from this machine, which only receives, tracked before"),
        (False, False, "from this machine, which only receives, never tracked before"),
    ):
        print(f"  {what}: {survival(called=called, before=before)}", flush=True)


if __name__ == "__main__":
    main()
