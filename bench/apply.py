"""What it costs to let 10, 1,000 or 100,000 networks reach a port, beside ufw and firewalld.

All in one booted guest, one after the other and interleaved. portward: a policy to rules, and the
rules into the kernel. ufw: its own command for each network where there are 10; its best case,
rules already in its file and a reload, where there are more. firewalld: a set of networks, filled
from a file by its own command, and a reload. Also how long an established connection is held up
while the firewall is loaded.
"""

import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from guest.conftest import install_clone
from guest.machine import Guest, image
from guest.scenes import PACKAGES, prepare, reset

RUNS = 5
SIZES = (10, 1_000, 100_000)
LIMIT = 60.0
"""Seconds; what took longer is run once."""
PYTHON = "/root/portward/.venv/bin/python"

_MAKE = """\
import sys, time, json
sys.path.insert(0, "/root/portward/src")
from datetime import date
from pathlib import Path
from portward.backends import nftables
from portward.knowledge import catalogue
from portward import flow
known = catalogue.load()
begin = time.perf_counter()
policy = flow.read_policy(Path("/root/policy.toml"), known)
own = nftables.table(policy, flow.survey_ports(), date.today())
made = time.perf_counter() - begin
Path("/root/own.nft").write_text(own.text)
print(made)
"""

_STREAM = """\
import json, socket, sys, time
with socket.create_connection((sys.argv[1], 7000)) as link:
    print("ready", flush=True)
    gaps, sent, last = [], 0, time.perf_counter()
    end = last + float(sys.argv[2])
    while time.perf_counter() < end:
        link.sendall(b"x" * 64)
        got = 0
        while got < 64:
            part = link.recv(64 - got)
            if not part:
                raise SystemExit("the connection was cut")
            got += len(part)
        now = time.perf_counter()
        gaps.append(now - last)
        last = now
        sent += 1
    print(json.dumps({"longest_ms": max(gaps) * 1000, "rounds": sent}))
"""
_ECHO = """\
import socket
server = socket.create_server(("", 7000))
while True:
    link, _ = server.accept()
    while data := link.recv(4096):
        link.sendall(data)
"""


def networks(size: int) -> list[str]:
    """Return so many networks of which no two touch."""
    return [f"{20 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/25" for n in range(size)]


def timed(work: Callable[[], object]) -> float:
    """Return how long something takes, in seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


class Bench:
    """One guest, and a way to do the same with each tool in it."""

    def __init__(self, guest: Guest) -> None:
        """Take a booted guest."""
        self.guest = guest

    def portward(self, size: int) -> tuple[float, float]:
        """Return the time to make the rules, the survey of the ports included, and to load them."""
        listed = ",\n".join(f'"{one}"' for one in networks(size))
        policy = f'roles = ["remote-admin"]\n[networks]\nadmin = [{listed}]\n'
        policy += '[[allow]]\nservice = "ssh"\nfrom = "admin"\n'
        (self.guest.tree / "root/policy.toml").write_text(policy)
        (self.guest.tree / "root/make.py").write_text(_MAKE)
        made = float(self.guest.run(PYTHON, "-I", "/root/make.py").stdout)
        load = timed(lambda: self.guest.run("nft", "-f", "/root/own.nft"))
        self.guest.run("nft", "delete", "table", "inet", "portward")
        return made, load

    def ufw(self, size: int) -> float:
        """Return the time of ufw: its own commands for few, a reload of its file for many."""
        if size <= SIZES[0]:
            self.guest.run("ufw", "--force", "enable")
            commands = "; ".join(
                f"ufw allow from {one} to any port 22 proto tcp" for one in networks(size)
            )
            return timed(lambda: self.guest.run("sh", "-c", commands, timeout=600))
        rules = self.guest.tree / "etc/ufw/user.rules"
        before = rules.read_text()
        lines = "".join(
            f"### tuple ### allow tcp 22 0.0.0.0/0 any {one} in\n"
            f"-A ufw-user-input -p tcp --dport 22 -s {one} -j ACCEPT\n"
            for one in networks(size)
        )
        rules.write_text(before.replace("### RULES ###\n", f"### RULES ###\n{lines}"))
        self.guest.run("ufw", "--force", "enable", timeout=900)
        taken = timed(lambda: self.guest.run("ufw", "reload", timeout=900))
        rules.write_text(before)
        return taken

    def firewalld(self, size: int) -> float:
        """Return the time of firewalld: a set from a file, a rich rule, a reload."""
        (self.guest.tree / "root/set").write_text("\n".join(networks(size)) + "\n")
        self.guest.run("systemctl", "start", "firewalld")
        self.guest.wait_for("firewall-cmd", "--state")
        tell = "firewall-cmd --permanent --quiet"
        rule = "rule source ipset=admin service name=ssh accept"
        commands = (
            f"{tell} --new-ipset=admin --type=hash:net --option=maxelem=200000"
            f" && {tell} --ipset=admin --add-entries-from-file=/root/set"
            f" && {tell} --add-rich-rule='{rule}' && firewall-cmd --quiet --reload"
        )
        try:
            taken = timed(lambda: self.guest.run("sh", "-c", commands, timeout=900))
        except RuntimeError as error:
            print(f"firewalld gave up on {size:,}: {str(error)[-200:].strip() or 'no word why'}")
            taken = math.nan
        undo = f"{tell} --remove-rich-rule='{rule}'; {tell} --delete-ipset=admin"
        self.guest.run("sh", "-c", undo, check=False, timeout=900)
        self.guest.run("systemctl", "stop", "firewalld")
        return taken

    def gap(self, *, load: bool) -> tuple[float, int]:
        """Return the longest pause in ms of an echoed stream, and its rounds."""
        (self.guest.tree / "root/echo.py").write_text(_ECHO)
        self.guest.run("systemd-run", "--quiet", "--unit=echo", "python3", "/root/echo.py")
        self.guest.wait_for("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7000")
        stream = subprocess.Popen(
            [sys.executable, "-c", _STREAM, self.guest.address, "5"],
            stdout=subprocess.PIPE,
            text=True,
        )
        if stream.stdout:
            stream.stdout.readline()
        if load:
            code = (
                "import sys; sys.path.insert(0, '/root/portward/src')\n"
                "from portward.apply.steps import table\n"
                "from portward.model.plan import LoadTable\n"
                "step = LoadTable(rules=open('/root/own.nft').read())\n"
                "table.do(step, table.save(step))\n"
            )
            self.guest.run(PYTHON, "-I", "-c", code)
        said, _ = stream.communicate(timeout=60)
        self.guest.run("systemctl", "stop", "echo")
        if load:
            self.guest.run("nft", "delete", "table", "inet", "portward")
        found = json.loads(said)
        return found["longest_ms"], found["rounds"]


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def main() -> None:
    """Print both tables."""
    with Guest(image(*PACKAGES)) as guest:
        install_clone(guest)
        prepare(guest)
        guest.boot()
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/root/wheels"}
        guest.run("/root/portward/portward", "--version", env=offline)
        bench = Bench(guest)
        print("Seconds until so many networks may reach a port, medians of", RUNS)
        print(f"{'networks':>9} {'make':>8} {'load':>8} {'ufw':>9} {'firewalld':>10}")
        for size in SIZES:
            rows: list[tuple[float, float, float, float]] = []
            for _ in range(RUNS):
                reset(guest)
                made, load = bench.portward(size)
                ufw = bench.ufw(size)
                guest.run("ufw", "--force", "reset")
                rows.append((made, load, ufw, bench.firewalld(size)))
                if max(rows[0]) > LIMIT:
                    break
            made, load, ufw, firewalld = (
                median([row[column] for row in rows]) for column in range(4)
            )
            once = "  (one run)" if len(rows) < RUNS else ""
            print(f"{size:>9,} {made:8.3f} {load:8.3f} {ufw:9.3f} {firewalld:10.3f}{once}")
        reset(guest)
        bench.portward(SIZES[1])
        for name, load in (("quiet", False), ("while the firewall is loaded", True)):
            runs = [bench.gap(load=load) for _ in range(RUNS)]
            longest = median([run[0] for run in runs])
            rounds = median([run[1] for run in runs])
            print(
                f"An echoed stream of 5 s, {name}: longest pause {longest:.1f} ms,"
                f" {rounds:,.0f} rounds, none cut"
            )
