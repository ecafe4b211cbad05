"""Reads what iptables-save and ip6tables-save print, of either variant, into tables.

The format is that of iptables-restore(8): ``*table``, ``:CHAIN POLICY [packets:bytes]``,
``-A CHAIN ...`` and ``COMMIT``. Nothing that is not understood is skipped: it becomes an Opaque
step under its own name.
"""

import re
from collections.abc import Iterator

from portward.model.errors import UsageError
from portward.reach import ipsets
from portward.reach.ipsets import IpSets
from portward.reach.ruleset import (
    IPV4_BITS,
    IPV6_BITS,
    Base,
    Chain,
    Chance,
    Kind,
    Opaque,
    Rule,
    Step,
    Table,
)
from portward.reach.xtables_matches import header, match
from portward.reach.xtables_targets import target
from portward.reach.xtables_words import sort, words

_HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
_PRIORITIES = {
    "raw": dict.fromkeys(("PREROUTING", "OUTPUT"), -300),
    "mangle": dict.fromkeys(_HOOKS, -150),
    "nat": {"PREROUTING": -100, "INPUT": 100, "OUTPUT": -100, "POSTROUTING": 100},
    "filter": dict.fromkeys(("INPUT", "FORWARD", "OUTPUT"), 0),
    "security": dict.fromkeys(("INPUT", "FORWARD", "OUTPUT"), 50),
}
"""enum nf_ip_hook_priorities (include/uapi/linux/netfilter_ipv4.h), and the chains of each."""
_POLICIES = {"ACCEPT": Kind.ACCEPT, "DROP": Kind.DROP, "QUEUE": Kind.QUEUE}
_COUNTERS = re.compile(r"\[\d+:\d+\] ")
_ESCAPED = re.compile(r"\\.")
_FAMILIES = {"ip": IPV4_BITS, "ip6": IPV6_BITS}


def read(
    text: str,
    family: str,
    where: str = "the ruleset",
    *,
    legacy: bool = False,
    sets: IpSets = ipsets.NONE,
) -> tuple[Table, ...]:
    """Read the tables of family "ip" or "ip6"; UsageError says where they are malformed."""
    document = _Document(family, sets, legacy=legacy)
    for number, line in _lines(text):
        try:
            document.add(line)
        except ValueError as error:
            raise UsageError(str(error), where=f"{where}:{number}") from None
    if document.open is not None:
        raise UsageError(f"table {document.open.name} does not end with COMMIT", where=where)
    return tuple(document.tables.values())


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something; a quoted comment may run over several of them."""
    pieces: list[str] = []
    begun, is_open = 0, False
    for number, line in enumerate(text.split("\n"), 1):
        if not pieces:
            begun = number
        pieces.append(line)
        if '"' in line and pieces[0].startswith(("-", "[")):
            is_open ^= _ESCAPED.sub("", line).count('"') % 2 == 1
        if not is_open:
            whole = "\n".join(pieces).strip()
            pieces = []
            if whole and not whole.startswith("#"):
                yield begun, whole
    if pieces:
        yield begun, "\n".join(pieces).strip()


class _Document:
    """The tables that were read so far, and the one that is open."""

    def __init__(self, family: str, sets: IpSets, *, legacy: bool) -> None:
        self._sets = sets
        self.tables: dict[str, Table] = {}
        self.open: _Reading | None = None
        self._family = family
        self._legacy = legacy

    def add(self, line: str) -> None:
        """Take the next line; ValueError where it makes no sense there."""
        if line.startswith("*"):
            if self.open is not None:
                raise ValueError(f"table {self.open.name} does not end with COMMIT")
            self.open = _Reading(line[1:].strip(), _FAMILIES[self._family], self._sets)
            if self.open.name in self.tables:
                raise ValueError(f"table {self.open.name} comes a second time")
        elif self.open is None:
            raise ValueError("stands outside of any table")
        elif line == "COMMIT":
            self.tables[self.open.name] = Table(
                family=self._family,
                name=self.open.name,
                chains=self.open.chains(),
                legacy=self._legacy,
            )
            self.open = None
        elif line.startswith(":"):
            self.open.add_chain(line[1:])
        else:
            self.open.add_rule(line)


class _Reading:
    """A table that is being read."""

    def __init__(self, name: str, bits: int, sets: IpSets) -> None:
        self._sets = sets
        if name not in _PRIORITIES:
            raise ValueError(f"{name!r} is no table of iptables")
        self.name = name
        self._bits = bits
        self._bases: dict[str, Base | None] = {}
        self._rules: dict[str, list[Rule]] = {}

    def add_chain(self, line: str) -> None:
        parts = line.split()
        if len(parts) < 2:  # noqa: PLR2004 - a name and a policy
            raise ValueError("a chain has a name and a policy")
        name, policy = parts[0], parts[1]
        priority = _PRIORITIES[self.name].get(name)
        if name in self._rules:
            raise ValueError(f"chain {name} comes a second time")
        if (priority is None) != (policy == "-") or policy not in {*_POLICIES, "-"}:
            raise ValueError(f"chain {name} of table {self.name} cannot have the policy {policy}")
        self._rules[name] = []
        self._bases[name] = None
        if priority is not None:
            kind = "nat" if self.name == "nat" else "filter"
            is_route = (self.name, name) == ("mangle", "OUTPUT")
            self._bases[name] = Base(
                hook=name.lower(),
                type="route" if is_route else kind,
                priority=priority,
                policy=_POLICIES[policy],
            )

    def add_rule(self, line: str) -> None:
        text = _COUNTERS.sub("", line, count=1) if line.startswith("[") else line
        given = words(text)
        if given[0] != "-A" or len(given) < 2:  # noqa: PLR2004 - the option and its chain
            raise ValueError("is no line of iptables-save")
        if given[1] not in self._rules:
            raise ValueError(f"table {self.name} has no chain {given[1]}")
        self._rules[given[1]].append(self._rule(given[2:], text))

    def chains(self) -> tuple[Chain, ...]:
        return tuple(
            Chain(name=name, base=self._bases[name], rules=tuple(rules))
            for name, rules in self._rules.items()
        )

    def _rule(self, given: list[str], text: str) -> Rule:
        sorted_words = sort(given)
        steps: list[Step] = header(sorted_words.header, self._bits)
        comments = []
        for one in sorted_words.matches:
            is_set = one.name == "set"
            steps += ipsets.match(one, self._sets) if is_set else match(one, self._bits)
            if one.name == "comment" and (comment := one.option("--comment")):
                comments.append(comment.value)
        # All have to hold, in any order: so a packet that fails a test leaves no doubt behind.
        steps.sort(key=lambda step: isinstance(step, Chance | Opaque))
        steps += target(sorted_words, self._rules, self._bits)
        return Rule(steps=tuple(steps), text=text, comment="; ".join(comments))
