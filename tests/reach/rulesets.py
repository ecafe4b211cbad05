"""Random rulesets for property tests: everything that a rule may consist of, in few values."""

from hypothesis import strategies as st

from portward.reach.host import LOCAL, Host, Way
from portward.reach.ruleset import (
    Assign,
    Base,
    Bits,
    Chain,
    Chance,
    Dispatch,
    Elements,
    Field,
    Kind,
    Names,
    Opaque,
    Range,
    Row,
    Rule,
    Ruleset,
    SetName,
    Step,
    Table,
    Target,
    Test,
    Translate,
    Untrack,
    Values,
    Verdict,
)

OWN = (0x0A000001, 0xC0000201)  # 10.0.0.1, 192.0.2.1
BEHIND = 0xAC110002  # 172.17.0.2
HOST = Host(
    bits=32,
    devices=("eth0", "eth1"),
    own={OWN[0]: "eth0", OWN[1]: "eth1"},
    ways=(
        Way(OWN[0], OWN[0], "eth0", LOCAL),
        Way(OWN[1], OWN[1], "eth1", LOCAL),
        Way(0xC0000200, 0xC00002FF, "eth1"),
        Way(0xAC110000, 0xAC11FFFF, "docker0"),
        Way(0x0A000000, 0x0AFFFFFF, "eth0"),
        Way(0x7F000000, 0x7FFFFFFF, "lo", LOCAL),
        Way(0, 0xFFFFFFFF, "eth0"),
    ),
    forwards=True,
    strict={"eth1": 1},
)

_EDGES = [0x0A000000, 0x0A000001, 0x0A0000FF, 0xC0000200, 0xC0000280, 0xC00002FF, 0xCB007107]
_PORTS = [0, 21, 22, 23, 80, 443, 8080, 65_535]
CHAINS = ("one", "two", "three")
"""Each may jump to those behind it."""


def _spans(edges: list[int]) -> st.SearchStrategy[Range]:
    ends = st.sampled_from(edges)
    return st.one_of(
        ends.map(lambda one: (one, one)),
        st.tuples(ends, ends).map(lambda two: (min(two), max(two))),
    )


def _ranges(edges: list[int]) -> st.SearchStrategy[Values]:
    return st.lists(_spans(edges), min_size=1, max_size=2).map(tuple)


VALUES: dict[str, st.SearchStrategy[Values]] = {
    "saddr": _ranges(_EDGES),
    "daddr": _ranges([*OWN, BEHIND]),
    "dport": _ranges(_PORTS),
    "original dport": _ranges(_PORTS),
    "sport": _ranges([1024, 49_152]),
    "l4proto": _ranges([6, 17]),
    "mark": _ranges([0, 1, 2]),
    "ct state": _ranges([1, 8, 64]),
    "ct status": _ranges([0, 32]),
    "nothing known": _ranges([0, 1]),
    "icmp type": _ranges([0, 8]),
    "tcp flags": _ranges([2]),
    "fib daddr type": _ranges([1, 2]),
    "fib saddr type": _ranges([1, 2]),
    "iifname": st.sampled_from([Names(("eth0",)), Names(("eth*",)), Names(("eth1", "lo"))]),
    "fib saddr . iif oif": st.sampled_from([Names(("",)), Names(("eth0",))]),
}
_FIELDS = st.sampled_from(sorted(VALUES))


@st.composite
def _row(draw: st.DrawFn, names: tuple[str, ...]) -> Row:
    return tuple(draw(VALUES[name]) for name in names)


_NAMES = st.one_of(
    _FIELDS.map(lambda one: (one,)),
    st.sampled_from(
        [("saddr",), ("dport",), ("saddr", "dport"), ("dport", "l4proto"), ("iifname", "dport")]
    ),
)


@st.composite
def _test(draw: st.DrawFn) -> Test:
    names = draw(_NAMES)
    negated = draw(st.booleans())
    if draw(st.integers(0, 9)) == 0:
        return Test((Field("saddr"),), SetName(draw(st.sampled_from(["few", "moving"]))), negated)
    if draw(st.integers(0, 9)) == 0:
        name, mask = draw(st.sampled_from([("mark", 3), ("dport", 0xFFF0), ("ct state", 3)]))
        part = Bits(Field(name), mask)
        return Test((part,), ((((0, 1),),),), negated)
    rows = draw(st.lists(_row(names), min_size=1, max_size=10))
    return Test(tuple(Field(name) for name in names), tuple(rows), negated)


def _verdict(below: tuple[str, ...]) -> st.SearchStrategy[Verdict]:
    kinds = [Kind.ACCEPT, Kind.DROP, Kind.REJECT, Kind.RETURN, Kind.CONTINUE]
    jumps = [Verdict(kind, name) for kind in (Kind.JUMP, Kind.GOTO) for name in (*below, "absent")]
    return st.sampled_from([*(Verdict(kind) for kind in kinds), *jumps])


@st.composite
def _dispatch(draw: st.DrawFn, below: tuple[str, ...]) -> Dispatch:
    names = draw(_NAMES)
    entries = draw(st.lists(st.tuples(_row(names), _verdict(below)), min_size=1, max_size=10))
    return Dispatch(tuple(Field(name) for name in names), tuple(entries))


_TARGETS = st.builds(
    Target,
    address=st.sampled_from([None, (BEHIND, BEHIND), (OWN[0], OWN[0])]),
    port=st.sampled_from([None, (80, 80), (22, 23)]),
)
_CHANGES = st.one_of(
    st.builds(
        Assign,
        st.just(Field("mark")),
        st.just(Field("mark")),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    st.just(Untrack()),
)


_UNSURE: st.SearchStrategy[Step] = st.sampled_from([Chance("a limit"), Opaque("a string")])


@st.composite
def _rule(draw: st.DrawFn, below: tuple[str, ...], changes: st.SearchStrategy[Step]) -> Rule:
    steps: list[Step] = [*draw(st.lists(_test(), max_size=2))]
    end = draw(st.integers(0, 15))
    if end == 0:
        steps.append(draw(_UNSURE))
    if end == 1:
        steps.append(draw(changes))
    elif end < 4:
        steps.append(draw(_dispatch(below)))
    if draw(st.integers(0, 9)):
        steps.append(draw(_verdict(below)))
    return Rule(steps=tuple(steps))


def _rules(
    below: tuple[str, ...], changes: st.SearchStrategy[Step]
) -> st.SearchStrategy[tuple[Rule, ...]]:
    return st.lists(_rule(below, changes), max_size=5).map(tuple)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Return a table with filter chains on some hooks, nat, and chains to jump to."""
    chains = [
        Chain(name=name, base=None, rules=draw(_rules(CHAINS[index + 1 :], _CHANGES)))
        for index, name in enumerate(CHAINS)
    ]
    hooks = draw(
        st.lists(
            st.sampled_from(["prerouting", "input", "forward", "input"]), min_size=1, max_size=3
        )
    )
    for number, hook in enumerate(hooks):
        base = Base(
            hook=hook,
            type="filter",
            priority=draw(st.sampled_from([-300, -150, 0])),
            policy=draw(st.sampled_from([Kind.ACCEPT, Kind.DROP])),
        )
        rules = draw(_rules(CHAINS, _CHANGES))
        chains.append(Chain(name=f"{hook}{number}", base=base, rules=rules))
    if draw(st.booleans()):
        translations = st.builds(
            Translate, st.sampled_from(["dnat", "redirect"]), st.none(), st.tuples(_TARGETS)
        )
        base = Base(hook="prerouting", type="nat", priority=-100, policy=Kind.ACCEPT)
        chains.append(Chain(name="nat", base=base, rules=draw(_rules((), translations))))
    sets = {
        "few": Elements(rows=((draw(VALUES["saddr"]),),)),
        "moving": Elements(dynamic=True),
    }
    return Table(
        family=draw(st.sampled_from(["ip", "inet"])), name="t", chains=tuple(chains), sets=sets
    )


RULESETS = st.lists(tables(), min_size=1, max_size=2).map(
    lambda found: Ruleset(tables=tuple(found))
)
