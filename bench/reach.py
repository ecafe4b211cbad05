"""What the whole matrix of reach costs: all ports, both protocols and families, all sources.

Rulesets of two kinds and growing size, made by fixed seeds. The services' kind is as a person or
a tool writes one: a set of blocked networks, a verdict map from port to the chain of a service,
and in each such chain some networks that may use it. The boxes' kind is as bad as rules can be:
any range of ports from any range of addresses, with no structure to use. The campus' kind has the
shape of the ruleset of a university's router that is published with fffuu
(github.com/diekmann/net-network, iptables-save of 4,840 rules): some chains for groups of
addresses, jumped to by network, then thousands of single exceptions by source, destination,
protocol and port in the order in which people asked for them.
"""

import gc
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from math import log
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from portward.reach import nft_json
from portward.reach.answer import Machine
from portward.reach.areas import Areas, areas
from portward.reach.host import BROADCAST, LOCAL, LOOPBACK, Host, Way
from portward.reach.ruleset import Ruleset

RUNS = 5
SIZES = (100, 1_000, 10_000, 100_000)
SEED = 20_260
CAMPUS = 4_840
"""As many rules as the published ruleset has."""
LIMIT = 60.0
"""Seconds; what took longer is not run again, nor are rulesets larger than a quarter of it."""

AS_JSON = ("--format", "json")
INTERFACES = {
    "interfaces": [
        {"name": "eth0", "addresses": ["198.51.100.7/24", "2001:db8::7/64"]},
        {"name": "eth1", "addresses": ["10.0.0.1/8"]},
    ],
    "routes": [{"to": "default", "interface": "eth0"}],
}
"""The same host for the command."""

T = TypeVar("T")
Json = dict[str, Any]


def hosts() -> tuple[Host, Host]:
    """Return both families of a host with two interfaces, one of them of an inner network."""
    inner, outer = 0x0A000001, 0xC6336407  # 10.0.0.1/8, 198.51.100.7/24
    four = Host(
        bits=32,
        devices=("eth0", "eth1"),
        own={outer: "eth0", inner: "eth1"},
        ways=(
            Way(outer, outer, "eth0", LOCAL),
            Way(inner, inner, "eth1", LOCAL),
            Way(0xC63364FF, 0xC63364FF, "eth0", BROADCAST),
            Way(0xC6336400, 0xC63364FF, "eth0"),
            Way(0x0A000000, 0x0AFFFFFF, "eth1"),
            Way(0x7F000000, 0x7FFFFFFF, LOOPBACK, LOCAL),
            Way(0, 0xFFFFFFFF, "eth0"),
        ),
        forwards=False,
    )
    own = 0x20010DB8 << 96 | 7
    six = Host(
        bits=128,
        devices=("eth0", "eth1"),
        own={own: "eth0"},
        ways=(
            Way(own, own, "eth0", LOCAL),
            Way(1, 1, LOOPBACK, LOCAL),
            Way(0x20010DB8 << 96, (0x20010DB8 << 96) + (1 << 64) - 1, "eth0"),
            Way(0, (1 << 128) - 1, "eth0"),
        ),
        forwards=False,
    )
    return four, six


# --- rulesets as nft prints them ---------------------------------------------------------------


class Writer:
    """Collects the objects of one table in the order in which nft lists them."""

    def __init__(self) -> None:
        """Begin with an empty table."""
        self.objects: list[Json] = [{"table": {"family": "inet", "name": "host", "handle": 1}}]
        self.rules = 0

    def chain(self, name: str, hook: str = "", policy: str = "accept") -> None:
        """Add a chain, on a hook or to be jumped to."""
        chain: Json = {"family": "inet", "table": "host", "name": name, "handle": 1}
        if hook:
            chain |= {"type": "filter", "hook": hook, "prio": 0, "policy": policy}
        self.objects.append({"chain": chain})

    def rule(self, chain: str, *expressions: Json) -> None:
        """Add a rule."""
        self.rules += 1
        rule = {"family": "inet", "table": "host", "chain": chain, "handle": self.rules}
        self.objects.append({"rule": {**rule, "expr": [*expressions]}})

    def set(self, name: str, kind: str, elements: list[Any]) -> None:
        """Add a named set."""
        body = {"family": "inet", "table": "host", "name": name, "type": kind, "handle": 1}
        self.objects.append({"set": {**body, "flags": ["interval"], "elem": elements}})

    def text(self) -> str:
        """Return the listing."""
        return json.dumps({"nftables": self.objects})


def match(protocol: str, field: str, right: object) -> Json:
    """Return a match on a header field."""
    left = {"payload": {"protocol": protocol, "field": field}}
    return {"match": {"op": "==", "left": left, "right": right}}


def state(*names: str) -> Json:
    """Return a match on the state of the connection."""
    return {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": [*names]}}


def network(chance: random.Random) -> Json:
    """Return a network of somebody, small or large."""
    length = chance.choice([16, 20, 24, 24, 24, 28, 32])
    address = chance.getrandbits(length) << (32 - length)
    return {"prefix": {"addr": dotted(address), "len": length}}


def dotted(address: int) -> str:
    """Write an IPv4 address."""
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def services(rules: int) -> str:
    """Return a ruleset with a chain per service, sets and address lists."""
    chance = random.Random(SEED)  # noqa: S311 - reproducible, and no secret
    writer = Writer()
    groups = [network(chance) for _ in range(max(20, rules // 20))]
    writer.set("blocked", "ipv4_addr", [network(chance) for _ in range(rules // 5)])
    count = max(5, rules // 20)
    ports = chance.sample(range(1, 32_768), min(count, 10_000))
    names = [f"service-{number}" for number in range(count)]
    for name in names:
        writer.chain(name)
    writer.chain("input", "input", "drop")
    writer.rule("input", state("established", "related"), {"accept": None})
    loopback = {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}
    writer.rule("input", {"match": loopback}, {"accept": None})
    writer.rule("input", match("ip", "saddr", "@blocked"), {"drop": None})
    for part, protocol in ((names[::3], "udp"), (names[1::3] + names[2::3], "tcp")):
        entries = [
            [port, {"jump": {"target": name}}] for port, name in zip(ports, part, strict=False)
        ]
        key = {"payload": {"protocol": protocol, "field": "dport"}}
        writer.rule("input", {"vmap": {"key": key, "data": {"set": entries}}})
    while writer.rules < rules - count:
        name = chance.choice(names)
        writer.rule(name, match("ip", "saddr", chance.choice(groups)), {"accept": None})
    for name in names:
        writer.rule(name, {"counter": {"packets": 0, "bytes": 0}}, {"drop": None})
    return writer.text()


def boxes(rules: int) -> str:
    """Return a ruleset of any ports from any addresses."""
    chance = random.Random(SEED)  # noqa: S311 - as above
    writer = Writer()
    writer.chain("input", "input", "drop")
    for _ in range(rules):
        low, high = sorted(chance.getrandbits(32) for _ in range(2))
        first, last = sorted(chance.getrandbits(16) for _ in range(2))
        writer.rule(
            "input",
            match("ip", "saddr", {"range": [dotted(low), dotted(high)]}),
            match(chance.choice(["tcp", "udp"]), "dport", {"range": [first, last]}),
            {chance.choice(["accept", "drop"]): None},
        )
    return writer.text()


# --- the shape of a university's ---------------------------------------------------------------


class Line(NamedTuple):
    """A rule of the campus, to be written for iptables-save or as nft prints it."""

    chain: str
    source: tuple[int, int] | None
    destination: tuple[int, int] | None
    protocol: str
    port: int
    target: str


CHAINS = ("guests", "staff", "servers")


def campus(rules: int) -> list[Line]:
    """Return the rules of a university's host that is asked by all its networks."""
    chance = random.Random(SEED)  # noqa: S311 - as above
    inside = [(0x0A000000 | chance.getrandbits(16) << 8, 24) for _ in range(200)]
    own = [(0x0A000001, 32), (0xC6336407, 32)]
    lines = [Line("INPUT", net, None, "", 0, chance.choice(CHAINS)) for net in inside[:100]]
    while len(lines) < rules:
        chain = chance.choice(["INPUT", "INPUT", *CHAINS])
        source = chance.choice([chance.choice(inside), (chance.getrandbits(32), 32), None])
        destination = chance.choice([*own, None, chance.choice(inside)])
        protocol = chance.choice(["tcp", "tcp", "udp", ""])
        port = chance.choice([22, 25, 53, 80, 443, chance.randrange(1, 65_536)]) if protocol else 0
        # Nobody lets all of the world come to every port, or shuts all of it out, halfway down.
        if source or (destination and protocol):
            target = chance.choice(["ACCEPT", "ACCEPT", "DROP"])
            lines.append(Line(chain, source, destination, protocol, port, target))
    return lines


def saved(lines: list[Line]) -> str:
    """Write rules as iptables-save does."""
    text = ["*filter", ":INPUT DROP [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]"]
    text += [f":{name} - [0:0]" for name in CHAINS]
    for line in lines:
        words = [f"-A {line.chain}"]
        for option, net in (("-s", line.source), ("-d", line.destination)):
            words += [f"{option} {dotted(net[0])}/{net[1]}"] if net else []
        words += [f"-p {line.protocol}"] if line.protocol else []
        if line.port:
            words.append(f"-m {line.protocol} --dport {line.port}")
        text.append(" ".join([*words, f"-j {line.target}"]))
    return "\n".join([*text, "COMMIT", ""])


def printed(lines: list[Line]) -> str:
    """Write rules as nft prints its own."""
    writer = Writer()
    for name in CHAINS:
        writer.chain(name)
    writer.chain("INPUT", "input", "drop")
    for line in lines:
        expressions: list[Json] = []
        for field, net in (("saddr", line.source), ("daddr", line.destination)):
            if net:
                prefix = {"prefix": {"addr": dotted(net[0]), "len": net[1]}}
                expressions.append(match("ip", field, prefix))
        if line.port:
            expressions.append(match(line.protocol, "dport", line.port))
        elif line.protocol:
            left = {"payload": {"protocol": "ip", "field": "protocol"}}
            expressions.append({"match": {"op": "==", "left": left, "right": line.protocol}})
        known = {"ACCEPT": {"accept": None}, "DROP": {"drop": None}}
        expressions.append(known.get(line.target, {"jump": {"target": line.target}}))
        writer.rule(line.chain, *expressions)
    return writer.text()


# --- measuring ---------------------------------------------------------------------------------


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the median of several runs in seconds, and the last result."""
    took: list[float] = []
    while True:
        gc.collect()
        start = time.perf_counter()
        result = work()
        took.append(time.perf_counter() - start)
        if len(took) == RUNS or took[-1] > LIMIT:
            return statistics.median(took), result


def whole(ruleset: Ruleset) -> tuple[list[Areas], int]:
    """Return what can be reached in both families, with the classes of sources."""
    found = [areas(Machine(ruleset, host)) for host in hosts()]
    return found, sum(len(one.classes()) for one in found)


def command(rules: Path, interfaces: Path) -> Json:
    """Run what users run, and return the document."""
    words = ["reach", "--matrix", "--ruleset", str(rules), "--interfaces", str(interfaces)]
    done = subprocess.run(
        [sys.executable, "-c", "from portward.faces.cli import main; main()", *words, *AS_JSON],
        capture_output=True,
        check=True,
    )
    found: Json = json.loads(done.stdout)
    return found


def peak(work: Callable[[], object]) -> float:
    """Return the most memory that the work held, in MB."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def main() -> None:
    """Print a table for each kind of ruleset."""
    for title, make in (("services", services), ("boxes", boxes)):
        grow(title, make)
    lines = campus(CAMPUS)
    with tempfile.TemporaryDirectory() as folder:
        interfaces = Path(folder, "interfaces.json")
        interfaces.write_text(json.dumps(INTERFACES))
        for title, text in (("nft JSON", printed(lines)), ("iptables-save", saved(lines))):
            rules = Path(folder, "rules")
            rules.write_text(text)
            took, found = timed(partial(command, rules, interfaces))
            print(
                f"\ncampus, {CAMPUS:,} rules, {title}: portward reach --matrix --format json "
                f"takes {took:.2f} s (goal: 1.5)"
            )
            print(
                f"  {'':9} {len(found['classes']):,} classes of sources, {len(found['reach']):,} "
                f"openings, {len(found['rules']):,} deciding rules"
            )


def grow(title: str, make: Callable[[int], str]) -> None:
    """Print what rulesets of one kind cost as they grow."""
    print(f"\n{title} (medians of {RUNS} runs)")
    print(f"  {'rules':>9} {'decoding':>10} {'matrix':>10} {'peak':>10} {'growth':>8}")
    last: tuple[int, float] | None = None
    for size in SIZES:
        text = make(size)
        reading, ruleset = timed(partial(nft_json.read, text))
        took, result = timed(partial(whole, ruleset))
        growth = log(took / last[1]) / log(size / last[0]) if last else float("nan")
        last = (size, took)
        print(f"  {size:9,} {reading:8.3f} s {took:8.3f} s", end="", flush=True)
        memory = peak(partial(whole, ruleset)) if took < LIMIT / 10 else float("nan")
        print(f" {memory:7.0f} MB {growth:8.2f}")
        describe(result)
        if took > LIMIT / 4 and size < SIZES[-1]:
            print(f"  larger ones are not run: {took:.0f} s is long enough")
            break


def describe(result: tuple[list[Areas], int]) -> None:
    """Say how much there is in an answer."""
    found, classes = result
    areas = sum(len(one.areas) for one in found)
    ranges = sum(len(area.ports) for one in found for area in one.areas)
    places = sum(len(one.places) for one in found)
    print(
        f"  {'':9} {classes:,} classes of sources, {areas:,} areas of {ranges:,} port ranges, "
        f"{places:,} deciding rules"
    )


if __name__ == "__main__":
    main()
