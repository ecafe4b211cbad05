"""What a firewall costs that lets some sources in: portward beside ufw and firewalld.

All of them run in one booted Debian of this benchmark's own, on the same kernel, one after the
other. ufw and firewalld get their best case: their files are written beforehand, and only the
reload is timed. Then: what a TCP connection notices while the table of portward is loaded, whose
rules know nothing of its port.
"""

import ctypes
import gc
import os
import random
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from build import interface, snapshot
from guest import scenes
from guest.machine import Guest, image
from portward.apply.steps import table as step
from portward.backends.nftables import table
from portward.knowledge import catalogue
from portward.model.plan import LoadTable
from portward.policy import file

T = TypeVar("T")
RUNS = 5
SIZES = (10, 1_000, 100_000)
LIMIT = 60.0
"""Seconds; what took longer is not run again."""
MOST = 180.0
"""Seconds after which a run is ended."""
NO_REPLY = "Did not receive a reply"
"""firewall-cmd waits for its daemon only so long."""
SEED = 20_260
CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
DAY = date(2026, 1, 15)
OTHERS = (
    *("docker.service", "docker.socket", "containerd.service", "fail2ban.service"),
    *("libvirtd.service", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket"),
)
"""Units of the image that have no part in this."""
TICK = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """CPU (user and system, of all that worked) and wall time, in milliseconds."""

    cpu: float
    wall: float


def sources(count: int) -> list[str]:
    """Return so many addresses, in no order."""
    chance = random.Random(SEED)  # noqa: S311 - reproducible, and no secret
    numbers = chance.sample(range(0x0B000000, 0x7E000000), count)
    return [str(IPv4Address(number)) for number in numbers]


# --- measuring -----------------------------------------------------------------------------------


def medians(work: Callable[[], Cost]) -> tuple[Cost | None, int]:
    """Return the medians of several runs, and how many there were; None: it does not end."""
    costs: list[Cost] = []
    while len(costs) < RUNS and not (costs and costs[-1].wall > LIMIT * 1000):
        gc.collect()
        try:
            costs.append(work())
        except subprocess.TimeoutExpired:
            return None, 1
    return Cost(median(one.cpu for one in costs), median(one.wall for one in costs)), len(costs)


def in_process(work: Callable[[], T]) -> Cost:
    """Measure what this process does itself."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return Cost((time.process_time() - busy) * 1000, (time.perf_counter() - start) * 1000)


def command(guest: Guest, *words: str) -> Cost:
    """Measure a command and all that it starts; nsenter's own start is in it for every tool."""
    enter = ["nsenter", "--target", str(guest.leader), "--all", "--"]
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            [*enter, *words],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )
        ended = threading.Timer(MOST, process.kill)
        ended.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        ended.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for
        if wall >= MOST:
            raise subprocess.TimeoutExpired(words, MOST)
        if process.returncode:
            said.seek(0)
            error = said.read().decode()
            if NO_REPLY in error:
                raise subprocess.TimeoutExpired(words, wall)
            sys.exit(f"{' '.join(words)}: {error[-500:]}; no table is true")
    return Cost((usage.ru_utime + usage.ru_stime) * 1000, wall * 1000)


# --- the tools -----------------------------------------------------------------------------------


def policy_of(allowed: list[str]) -> str:
    """Write the policy of a machine that only some may log in to."""
    listed = ",\n  ".join(f'"{one}"' for one in allowed)
    return (
        f'roles = ["isolated"]\n[networks]\nallowed = [\n  {listed}\n]\n'
        '[[allow]]\nport = "22/tcp"\nfrom = "allowed"\n'
    )


def own_text(text: str) -> str:
    """Return the table of a policy."""
    policy = file.parse(text, "policy.toml", catalogue.load(Path("/nonexistent")))
    return table(policy, snapshot(interfaces=(interface(),)), DAY).text


def portward(guest: Guest, allowed: list[str]) -> Iterator[tuple[str, Cost | None, int]]:
    """Make the table and load it."""
    text = policy_of(allowed)
    known = catalogue.load(Path("/nonexistent"))
    policy = file.parse(text, "policy.toml", known)
    machine = snapshot(interfaces=(interface(),))
    yield (
        "portward: read the policy",
        *medians(lambda: in_process(lambda: file.parse(text, "policy.toml", known))),
    )
    yield (
        "portward: make the table",
        *medians(lambda: in_process(lambda: table(policy, machine, DAY))),
    )
    (guest.tree / "root/firewall.nft").write_text(own_text(text), encoding="ascii")
    yield "portward: nft -f", *medians(lambda: command(guest, "nft", "-f", "/root/firewall.nft"))
    check(guest, "nft list table inet portward", allowed[-1])
    command(guest, "nft", "delete", "table", "inet", "portward")


def ufw(guest: Guest, allowed: list[str]) -> Iterator[tuple[str, Cost | None, int]]:
    """Write what ``ufw allow`` writes, and reload; then allow one more by its command."""
    rules = guest.tree / "etc/ufw/user.rules"
    before = rules.read_text()
    lines = "".join(
        f"\n### tuple ### allow tcp 22 0.0.0.0/0 any {one} in\n"
        f"-A ufw-user-input -p tcp --dport 22 -s {one} -j ACCEPT\n"
        for one in allowed
    )
    rules.write_text(before.replace("### RULES ###\n", f"### RULES ###\n{lines}", 1))
    command(guest, "ufw", "--force", "enable")
    try:
        cost, runs = medians(lambda: command(guest, "ufw", "reload"))
        yield "ufw reload", cost, runs
        if cost:
            check(guest, "iptables-save", allowed[-1])
        more = iter(range(2, 250))
        if cost and cost.wall < LIMIT * 1000:
            one = ("ufw", "allow", "proto", "tcp", "from")

            def add() -> Cost:
                return command(guest, *one, f"192.0.2.{next(more)}", "to", "any", "port", "22")

            yield "ufw allow, one source more", *medians(add)
    finally:
        rules.write_text(before)
        guest.run("ufw", "--force", "disable", check=False)


def firewalld(guest: Guest, allowed: list[str]) -> Iterator[tuple[str, Cost | None, int]]:
    """Write a set, or a rule for each source, and reload."""
    place = guest.tree / "etc/firewalld"
    (place / "ipsets").mkdir(exist_ok=True)
    entries = "".join(f"<entry>{one}</entry>\n" for one in allowed)
    by_set = '<rule><source ipset="allowed"/><port port="22" protocol="tcp"/><accept/></rule>\n'
    each = "".join(
        f'<rule family="ipv4"><source address="{one}"/><port port="22" protocol="tcp"/>'
        "<accept/></rule>\n"
        for one in allowed
    )
    for name, rules in (("a set", by_set), ("rich rules", each)):
        if name == "a set":
            options = f'<option name="maxelem" value="{len(allowed) + 1}"/>'
            (place / "ipsets/allowed.xml").write_text(
                f'<?xml version="1.0"?>\n<ipset type="hash:ip">{options}{entries}</ipset>\n'
            )
        (place / "zones").mkdir(exist_ok=True)
        (place / "zones/public.xml").write_text(
            f'<?xml version="1.0"?>\n<zone><short>Public</short>{rules}</zone>\n'
        )
        guest.run("systemctl", "start", "firewalld", check=False)
        guest.wait_for("firewall-cmd", "--state", seconds=MOST)
        cost, runs = medians(lambda: reload(guest))
        yield f"firewall-cmd --reload, {name}", cost, runs
        if cost:
            check(guest, "nft list table inet firewalld", allowed[-1])
        guest.run("systemctl", "kill", "-s", "KILL", "firewalld", check=False)
        guest.run("systemctl", "stop", "firewalld", check=False)
        guest.run("systemctl", "reset-failed", "firewalld", check=False)
        guest.run("nft", "flush", "ruleset")
        (place / "ipsets/allowed.xml").unlink(missing_ok=True)
        (place / "zones/public.xml").unlink()
        if cost is None or cost.wall > LIMIT * 1000:
            break


def reload(guest: Guest) -> Cost:
    """Reload firewalld; the daemon does the work, so its CPU time counts."""
    daemon = guest.run("systemctl", "show", "-p", "MainPID", "--value", "firewalld").stdout.strip()

    def busy() -> float:
        stat = guest.run("cat", f"/proc/{daemon}/stat").stdout.rpartition(")")[2].split()
        return sum(map(int, stat[11:15])) / TICK * 1000

    before = busy()
    asked = command(guest, "firewall-cmd", "--reload")
    return Cost(asked.cpu + busy() - before, asked.wall)


def check(guest: Guest, words: str, source: str) -> None:
    """See that the kernel has got the last of the sources: else no time is worth a table."""
    if source not in guest.run(*words.split()).stdout:
        sys.exit(f"{words}: {source} is not there; no table is true")


def sized(guest: Guest, count: int) -> None:
    """Print what so many sources cost."""
    allowed = sources(count)
    rows = [row for tool in (portward, ufw, firewalld) for row in tool(guest, allowed)]
    own = [row[1] for row in rows[:3] if row[1]]
    whole = Cost(sum(one.cpu for one in own), sum(one.wall for one in own))
    rows.insert(3, ("portward: all three", whole, RUNS))
    print(f"\n{count:,} allowed sources (medians, milliseconds)")
    print(f"  {'':40} {'CPU':>9} {'wall':>9} {'wall, of all three':>19} {'runs':>5}")
    for name, cost, runs in rows:
        if cost is None:
            print(f"  {name:40} {'':9} {'no end':>9}")
            continue
        ratio = cost.wall / whole.wall
        print(f"  {name:40} {cost.cpu:9,.0f} {cost.wall:9,.0f} {ratio:19.2f} {runs:5}", flush=True)


# --- a connection meanwhile ----------------------------------------------------------------------

PORT = 5_001
SECONDS = 4.0
LOADED_AFTER = 1.0
CHUNK = 1_024
PAUSE = 0.001


class Stream(NamedTuple):
    """What the receiver of a connection noticed."""

    sent: int
    lost: int
    gap: float
    """The longest time without data, in milliseconds."""


def in_network(path: str, work: Callable[[], T]) -> T:
    """Run work in a thread that is in a guest's network; programs it starts are inside."""

    def inside() -> T:
        with Path(path).open("rb") as space:
            if ctypes.CDLL(None).setns(space.fileno(), CLONE_NEWNET):
                sys.exit("bench apply needs root")
        return work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(inside).result()


def stream(guest: Guest, meanwhile: Callable[[], None]) -> Stream:
    """Send numbered lines into the guest at a steady pace, and do something meanwhile."""
    network = f"/run/netns/{guest.name}"
    server = in_network(network, lambda: socket.create_server((guest.address, PORT)))
    with server, socket.create_connection((guest.address, PORT)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(SECONDS * 5)
        receiver, _ = server.accept()
        sent: list[int] = []
        with receiver, ThreadPoolExecutor(2) as pool:
            sending = pool.submit(send, client, sent)
            receiving = pool.submit(receive, receiver)
            time.sleep(LOADED_AFTER)
            in_network(network, meanwhile)
            sending.result()
            wrong, got, gap = receiving.result()
    return Stream(sent[0], sent[0] - got + wrong, gap * 1000)


def line(number: int) -> bytes:
    """Return a piece of the stream, which is like no other."""
    return f"{number:>{CHUNK}}".encode()


def send(client: socket.socket, sent: list[int]) -> None:
    """Send for a while."""
    end, number = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        client.sendall(line(number))
        number += 1
        time.sleep(PAUSE)
    sent.append(number * CHUNK)
    client.shutdown(socket.SHUT_WR)


def receive(receiver: socket.socket) -> tuple[int, int, float]:
    """Return how many bytes were wrong, how many came, and the longest wait for some."""
    held, last, gap = bytearray(), time.monotonic(), 0.0
    while True:
        if not select.select([receiver], [], [], SECONDS * 3)[0]:
            gap = time.monotonic() - last
            break
        data = receiver.recv(1 << 20)
        now = time.monotonic()
        if not data:
            break
        gap, last = max(gap, now - last), now
        held += data
    meant = b"".join(line(number) for number in range(len(held) // CHUNK))
    wrong = sum(one != other for one, other in zip(held, meant, strict=False))
    return wrong, len(held), gap


def nothing() -> None:
    """Load nothing."""


def streams(guest: Guest) -> None:
    """Print what a connection noticed of a load."""
    print(f"\nA TCP connection meanwhile ({RUNS} streams of {SECONDS:g} s each)")
    print(f"  {'':50} {'sent':>10} {'lost':>6} {'longest gap (ms): median':>26} {'worst':>7}")
    for count in (10, 100_000):
        text = policy_of(sources(count))
        shut = LoadTable(rules=own_text(text))
        opened = LoadTable(rules=own_text(f'{text}[[allow]]\nport = "{PORT}/tcp"\nfrom = "any"\n'))

        def first(shut: LoadTable = shut) -> None:
            step.do(shut, step.save(shut))

        def again(opened: LoadTable = opened) -> None:
            step.do(opened, step.save(opened))

        def removed() -> None:
            step.do(LoadTable(rules=""), step.Saved(text=""))

        network = f"/run/netns/{guest.name}"
        seen: dict[str, list[Stream]] = {}
        for _ in range(RUNS):
            in_network(network, removed)
            for name, work in (
                ("nothing is loaded", nothing),
                (f"first load, {count:,} sources, port not allowed", first),
            ):
                seen.setdefault(name, []).append(stream(guest, work))
            in_network(network, again)
            name = f"loaded again, {count:,} sources, port allowed"
            seen.setdefault(name, []).append(stream(guest, again))
        in_network(network, removed)
        for name, each in seen.items():
            gaps = [one.gap for one in each]
            sent, lost = sum(one.sent for one in each), sum(one.lost for one in each)
            print(f"  {name:50} {sent:10,} {lost:6,} {median(gaps):26.1f} {max(gaps):7.1f}")


def main() -> None:
    """Print a table for each number of sources, and one of connections."""
    if os.geteuid():
        sys.exit("bench apply needs root: it boots a machine of its own")
    with booted() as guest:
        streams(guest)
        for count in SIZES:
            sized(guest, count)


@contextmanager
def booted() -> Iterator[Guest]:
    """Boot a Debian with all the tools, none of them active."""
    with Guest(image(*scenes.PACKAGES)) as guest:
        for unit in OTHERS:
            (guest.tree / "etc/systemd/system" / unit).symlink_to("/dev/null")
        guest.boot()
        guest.run("systemctl", "stop", "firewalld")
        guest.run("nft", "flush", "ruleset")
        yield guest


if __name__ == "__main__":
    main()
