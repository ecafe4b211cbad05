"""What a scan of all 65,535 TCP ports costs beside nmap and masscan, and what each missed.

One host on a veth link, in namespaces of the benchmark's own: 20 open ports and the rest closed;
all but 5 dropped; all but 5 refused with ICMP, which the kernel rations. Whole processes, in turn.
"""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

RUNS = 5
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1))\nfrom portward.faces.cli import main; main()"
)
PORTWARD = [sys.executable, "-I", "-c", START, str(ROOT / "src"), "scan", "-p-", "--format", "json"]
NMAP = ["nmap", "-p-", "-n", "-Pn", "-T4", "-oG", "-"]
MASSCAN = ["masscan", "-p1-65535", "--wait", "1", "--retries", "1", "-oL", "-"]
LIMIT = 200.0
OPEN = sorted(random.Random(7).sample(range(1, 65536), 20))  # noqa: S311 - no secret


def opened(text: str) -> set[int]:
    """Return the open ports that a tool printed."""
    if text.startswith("{"):
        ports = json.loads(text)["hosts"][0]["ports"]
        return {one["port"] for one in ports if one["state"] == "open"}
    return {
        int(one)
        for pair in re.findall(r"(\d+)/open/|^open tcp (\d+)", text, re.MULTILINE)
        for one in pair
        if one
    }


def main() -> None:
    """Measure and print a table for each scene."""
    from kernel.scan_net import TARGET, link  # noqa: PLC0415 - of the tests
    from own_network import in_own_network, run  # noqa: PLC0415 - the same

    commands = {
        **{
            f"portward {one}": [*PORTWARD, "--engine", one, TARGET]
            for one in ("bpf", "ring", "connect")
        },
        "nmap -sS -T4": [*NMAP, "-sS", TARGET],
        "nmap -sT -T4": [*NMAP, "-sT", TARGET],
        # Slower and faster rates, and no retry, all missed ports when they were tried.
        "masscan, 100,000/s, 1 retry": [
            *MASSCAN,
            "--rate",
            "100000",
            "--router-ip",
            TARGET,
            TARGET,
        ],
    }
    commands = {name: one for name, one in commands.items() if shutil.which(one[0])}

    def inside() -> None:
        with link() as target:
            target.listen(OPEN)
            run(f"ip route add default via {TARGET}")  # or masscan hangs
            allowed = ", ".join(map(str, OPEN[:5]))
            head = (
                "add table inet t\nadd chain inet t in { type filter hook input priority 0; }\n"
                f"add rule inet t in tcp dport {{ {allowed} }} accept\n"
                "add rule inet t in meta l4proto tcp"
            )
            scenes = {
                "20 open, the rest closed": ("", OPEN),
                "5 open, the rest dropped": (f"{head} drop\n", OPEN[:5]),
                "5 open, the rest refused": (
                    f"{head} reject with icmpx admin-prohibited\n",
                    OPEN[:5],
                ),
            }
            for title, (rules, right) in scenes.items():
                target.nft(rules)
                table(title, commands, set(right))

    in_own_network(inside)


def table(title: str, commands: dict[str, list[str]], right: set[int]) -> None:
    """Run the commands in turn, several times over, and print what they cost and missed."""
    found: dict[str, list[tuple[float, float, int, int]]] = {name: [] for name in commands}
    for turn in range(RUNS + 1):
        for name, command in commands.items():
            if found[name] and found[name][0][0] > LIMIT / RUNS:
                continue  # one run of what takes that long is enough to be compared
            cost = measured(command, right)
            found[name] += [cost] if turn or cost[0] > LIMIT / RUNS else []
    print(f"\n{title}\n{'':30}{'wall':>8}{'CPU':>8}  missed  false  (worst of the runs)")
    for name, runs in found.items():
        wall, cpu = median(one[0] for one in runs), median(one[1] for one in runs)
        missed, false = max(one[2] for one in runs), max(one[3] for one in runs)
        print(f"{name:30}{wall:7.2f}s{cpu:7.2f}s{missed:8}{false:7}  {len(runs)} runs")


def measured(command: list[str], right: set[int]) -> tuple[float, float, int, int]:
    """Run a command to its end; return wall and CPU seconds, and ports missed and false."""
    began = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}; no table is true")
    ports = opened(text)
    return (
        time.monotonic() - began,
        usage.ru_utime + usage.ru_stime,
        len(right - ports),
        len(ports - right),
    )
