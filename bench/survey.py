"""What ``portward status`` costs beside ss, lsof, netstat and psutil, and whether all agree.

Each scene is built of real processes and sockets in a network namespace of this benchmark's own.
Its processes are ``sleep`` commands that inherit the sockets, so that even a benchmark that was
killed leaves nothing behind for long.
"""

import ctypes
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

RUNS = 5
GOOD = {0, 1, 3}  # portward: nothing wrong, findings, could not tell enough; lsof: 1 is a warning
LIFETIME = "900"  # seconds; longer than any scene is measured
FIRST_PORT = 2000
SOURCE = Path(__file__).parents[1] / "src"
CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h

PSUTIL = """
import psutil
for one in psutil.net_connections("inet"):
    if one.status == "LISTEN" or not one.raddr and one.type == 2:
        name = psutil.Process(one.pid).name() if one.pid else "?"
        print(("tcp", "udp")[one.type - 1], one.laddr.ip, one.laddr.port, one.pid, name)
"""
START = "from portward.faces.cli import main; main()"
PORTWARD = [sys.executable, "-I", "-c", START, "status", "--format", "json"]
# Without these capabilities BPF is refused, and the walk through /proc is measured.
WITHOUT_BPF = ["setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin"]


class Scene(NamedTuple):
    """How much of everything there is."""

    title: str
    listeners: int
    processes: int
    descriptors: int
    """Of each process, at least."""
    connections: int


SCENES = (
    Scene("20 listeners, 60 processes", 20, 60, 4, 0),
    Scene(
        "2,000 listeners, 2,000 processes of 50 descriptors, 20,000 connections",
        2_000,
        2_000,
        50,
        20_000,
    ),
    Scene("5,000 listeners, 100 processes", 5_000, 100, 4, 0),
)


class Cost(NamedTuple):
    """CPU (user and system, of the whole process tree) and wall time, in milliseconds."""

    cpu: float
    wall: float


Sockets = dict[tuple[str, int], frozenset[int]]
"""Protocol and port to the processes that hold it."""


# --- building -------------------------------------------------------------------------------


@contextmanager
def standing(scene: Scene) -> Iterator[Sockets]:
    """Build a scene, say what is in it, and take it down whatever happens."""
    processes: list[subprocess.Popen[bytes]] = []
    sockets: Sockets = {}
    try:
        for number in range(scene.processes):
            ports = range(FIRST_PORT + number, FIRST_PORT + scene.listeners, scene.processes)
            connections = scene.connections // scene.processes
            process = actor(ports, connections, scene.descriptors)
            processes.append(process)
            sockets |= {(protocol(port), port): frozenset({process.pid}) for port in ports}
        yield sockets
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def protocol(port: int) -> str:
    """Every tenth socket is UDP."""
    return "tcp" if port % 10 else "udp"


def actor(ports: range, connections: int, descriptors: int) -> subprocess.Popen[bytes]:
    """Start a process that holds sockets, connections with itself, and other descriptors."""
    held: list[socket.socket] = []
    others: list[int] = []
    try:
        for port in ports:
            kind = socket.SOCK_STREAM if protocol(port) == "tcp" else socket.SOCK_DGRAM
            one = socket.socket(socket.AF_INET, kind)
            held.append(one)
            one.bind(("127.0.0.1", port))
            if kind == socket.SOCK_STREAM:
                one.listen(64)
        for _ in range(connections):
            held += connected()
        missing = max(0, descriptors - len(held))
        others += [os.open(os.devnull, os.O_RDONLY) for _ in range(missing)]
        numbers = [*(one.fileno() for one in held), *others]
        return subprocess.Popen(["sleep", LIFETIME], pass_fds=numbers)
    finally:
        for one in held:
            one.close()
        for descriptor in others:
            os.close(descriptor)


def connected() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a TCP connection over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        return client, server.accept()[0]


def own_network() -> None:
    """Enter a new network namespace with lo up and every port free."""
    if ctypes.CDLL(None).unshare(CLONE_NEWNET):
        sys.exit("bench survey needs root: it builds its scenes in a network namespace")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("10000 65000", encoding="ascii")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


# --- measuring ------------------------------------------------------------------------------


def measured(command: list[str], environment: dict[str, str]) -> tuple[Cost, str]:
    """Run a command to its end; return what it cost and what it printed."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for
        output.seek(0)
        errors.seek(0)
        text = output.read().decode(errors="replace")
        complaint = errors.read().decode(errors="replace").strip()
    if process.returncode not in GOOD or not text:
        last = complaint.splitlines()[-1:] or ["no output"]
        sys.exit(f"{command[0]} ended with {process.returncode}: {last[0]}; no table is true")
    return Cost((usage.ru_utime + usage.ru_stime) * 1000, wall * 1000), text


def medians(commands: dict[str, list[str]]) -> tuple[dict[str, Cost], dict[str, str]]:
    """Run the commands in turn, several times over; the first round only warms caches."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    printed = {}
    # Python keeps compiled modules, as it does for users: -I ignores PYTHONDONTWRITEBYTECODE.
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    for turn in range(RUNS + 1):
        for name, command in commands.items():
            cost, printed[name] = measured(command, environment)
            costs[name] += [cost] if turn else []
    return {
        name: Cost(median(one.cpu for one in each), median(one.wall for one in each))
        for name, each in costs.items()
    }, printed


# --- comparing ------------------------------------------------------------------------------


def by_line(pattern: str) -> Callable[[str], Sockets]:
    """Read lines with the groups protocol, port, and a text that holds the process ids."""
    line = re.compile(pattern, re.MULTILINE)

    def read(text: str) -> Sockets:
        found: dict[tuple[str, int], set[int]] = {}
        for protocol_name, port, owners in line.findall(text):
            key = (protocol_name.lower()[:3], int(port))
            found.setdefault(key, set()).update(map(int, re.findall(r"\d+", owners)))
        return {key: frozenset(pids) for key, pids in found.items()}

    return read


def by_ss(text: str) -> Sockets:
    """Read ss: process ids stand behind "pid="."""
    found: dict[tuple[str, int], frozenset[int]] = {}
    for line in text.splitlines():
        parts = line.split()
        pids = frozenset(map(int, re.findall(r"pid=(\d+)", line)))
        if parts and parts[0] in {"tcp", "udp"}:
            found[parts[0], int(parts[4].rpartition(":")[2])] = pids
    return found


def by_portward(text: str) -> Sockets:
    """Read the JSON of ``portward status``: the scene's network is where it was started."""
    found: Sockets = {}
    for one in json.loads(text)["listeners"]:
        if one["namespace"] == "host" and one["protocol"] in {"tcp", "udp"}:
            process = one["process"] or {}
            pids = [process["pid"], *process.get("sharers", ())] if "pid" in process else []
            found[one["protocol"], one["port"]] = frozenset(pids)
    return found


def by_lsof(text: str) -> Sockets:
    """Read lsof -F: one field a line, and a process before its files."""
    found: dict[tuple[str, int], set[int]] = {}
    pid, protocol_name, name = 0, "", ""
    for line in text.splitlines():
        field, value = line[:1], line[1:]
        if field == "p":
            pid = int(value)
        elif field == "P":
            protocol_name = value.lower()
        elif field == "n":
            name = value
        is_open = line == "TST=LISTEN" or (field == "n" and protocol_name == "udp")
        if is_open and "->" not in name:
            port = name.rpartition(":")[2]
            found.setdefault((protocol_name, int(port)), set()).add(pid)
    return {key: frozenset(pids) for key, pids in found.items()}


TOOLS: dict[str, tuple[list[str], Callable[[str], Sockets]]] = {
    "ss -Htulpn": (["ss", "-Htulpn"], by_ss),
    "portward status": (PORTWARD, by_portward),
    "portward status, no BPF": ([*WITHOUT_BPF, *PORTWARD], by_portward),
    "lsof -nP -i": (
        ["lsof", "-nP", "-i", "-F", "pPnT"],
        by_lsof,
    ),
    "netstat -tulpn": (
        ["netstat", "-tulpn"],
        by_line(r"^(tcp|udp)\S*\s+\d+\s+\d+\s+\S+:(\d+)\s+\S+\s+(?:LISTEN\s+)?(\d+)/"),
    ),
    "psutil": (
        [sys.executable, "-I", "-c", PSUTIL],
        by_line(r"^(tcp|udp) \S+ (\d+) (\d+)"),
    ),
}


def difference(truth: Sockets, told: Sockets) -> str:
    """Say in a few words how far a tool is from what was built."""
    missing = len(truth.keys() - told.keys())
    extra = len(told.keys() - truth.keys())
    owners = sum(told[key] != truth[key] for key in truth.keys() & told.keys())
    words = [(missing, "missing"), (extra, "not there"), (owners, "with other owners")]
    return ", ".join(f"{number} {word}" for number, word in words if number) or "all agree"


# --- the tables -----------------------------------------------------------------------------


def main() -> None:
    """Print a table for each scene, and what starting costs."""
    start_up()
    own_network()
    for scene in SCENES:
        with standing(scene) as truth:
            costs, printed = medians({name: command for name, (command, _) in TOOLS.items()})
        table(scene.title, costs)
        for name, (_, read) in TOOLS.items():
            try:
                verdict = difference(truth, read(printed[name]))
            except (ValueError, LookupError, TypeError) as error:
                verdict = f"its output cannot be read: {error!r}"
            print(f"  {name:26} {verdict}")


def table(title: str, costs: dict[str, Cost]) -> None:
    """Print costs beside those of the first row."""
    reference = next(iter(costs.values()))
    print(f"\n{title} (medians of {RUNS} interleaved runs, milliseconds)")
    print(f"  {'':26} {'CPU':>8} {'wall':>8} {'CPU of the first row':>22}")
    for name, cost in costs.items():
        share = cost.cpu / reference.cpu if reference.cpu else float("nan")
        print(f"  {name:26} {cost.cpu:8.0f} {cost.wall:8.0f} {share:22.3f}")


def start_up() -> None:
    """Print what the interpreter costs alone and with ``portward --version``."""
    commands = {
        "python -c print()": [sys.executable, "-I", "-c", "print()"],
        "portward --version": [sys.executable, "-I", "-c", START, "--version"],
    }
    costs, _ = medians(commands)
    table("Start-up", costs)
    more = costs["portward --version"].wall - costs["python -c print()"].wall
    print(f"  portward --version takes {more:.0f} ms more than the bare interpreter (goal: 60)")


if __name__ == "__main__":
    main()
