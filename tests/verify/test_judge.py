"""The table of outcomes: every row once, and what holds for all."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.reaching import Answer
from portward.model.scan import PortState
from portward.model.verification import SEVERITIES, Outcome
from portward.verify.judge import SHUT, Sides, judge

OPEN, SILENT, UNCERTAIN = PortState.OPEN, PortState.SILENT, PortState.UNCERTAIN
YES, NO, PERHAPS = Answer.YES, Answer.NO, Answer.PERHAPS


@pytest.mark.parametrize(
    ("sides", "outcome"),
    [
        # It answers:
        (({OPEN}, True, YES, True), Outcome.EXPOSED),
        (({OPEN}, True, PERHAPS, True), Outcome.EXPOSED),
        (({OPEN}, True, YES, False), Outcome.UNINTENDED),
        (({OPEN}, True, PERHAPS, False), Outcome.UNINTENDED),
        (({OPEN}, True, YES, None), Outcome.UNTOLD),
        (({OPEN}, True, NO, True), Outcome.BYPASSED),
        (({OPEN}, True, NO, False), Outcome.BYPASSED),
        (({OPEN}, None, NO, None), Outcome.BYPASSED),
        (({OPEN}, None, YES, True), Outcome.UNTOLD),
        (({OPEN}, False, YES, False), Outcome.HIDDEN),
        (({OPEN}, False, NO, False), Outcome.HIDDEN),
        # It does not:
        (({PortState.FILTERED}, True, NO, False), Outcome.CLOSED),
        (({PortState.CLOSED}, True, NO, False), Outcome.CLOSED),
        (({PortState.FILTERED}, True, NO, True), Outcome.BLOCKED),
        (({PortState.REFUSED}, True, YES, True), Outcome.UPSTREAM),
        (({PortState.FILTERED}, True, YES, False), Outcome.UPSTREAM),
        (({PortState.FILTERED}, True, PERHAPS, False), Outcome.CLOSED),
        (({PortState.FILTERED}, True, PERHAPS, True), Outcome.UNTOLD),
        (({PortState.FILTERED, PortState.CLOSED}, False, YES, False), Outcome.CLOSED),
        (({PortState.FILTERED}, None, YES, False), Outcome.UNTOLD),
        # It is not known:
        ((set(), True, YES, True), Outcome.UNTOLD),
        (({UNCERTAIN}, True, NO, False), Outcome.UNTOLD),
        (({UNCERTAIN}, False, NO, False), Outcome.UNTOLD),
        (({PortState.CLOSED, UNCERTAIN}, True, NO, False), Outcome.UNTOLD),
    ],
)
def test_the_table(sides: tuple[Any, ...], outcome: Outcome) -> None:
    seen, *facts = sides
    assert judge(Sides(frozenset(seen), *facts))[0] == outcome


def test_silence_of_udp_is_told_only_where_nothing_listens() -> None:
    silent = Sides(frozenset({SILENT}), listens=False, reach=YES, intended=False)
    assert judge(silent)[0] == Outcome.CLOSED
    for listens, reach in product((True, None), Answer):
        assert judge(silent._replace(listens=listens, reach=reach))[0] == Outcome.UNTOLD


states = st.frozensets(st.sampled_from(list(PortState)), max_size=3)
facts = st.sampled_from([True, False, None])


@given(st.builds(Sides, states, facts, st.sampled_from(list(Answer)), facts))
def test_what_holds_for_all(sides: Sides) -> None:
    outcome, why = judge(sides)
    assert why.endswith(".")
    if outcome == Outcome.CLOSED:
        assert OPEN not in sides.seen, "what answered is never called closed"
        assert sides.seen, "what was not asked is never called closed"
        assert sides.listens is not None
    if outcome == Outcome.EXPOSED:
        assert sides.seen == {OPEN}
        assert sides.intended is True
    if outcome in SEVERITIES:
        assert sides.seen == {OPEN} or sides.seen <= SHUT, "nothing is found by what is uncertain"
    if sides.seen == {OPEN} and sides.reach == NO:
        assert outcome in {Outcome.BYPASSED, Outcome.HIDDEN}
