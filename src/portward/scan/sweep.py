"""Leads an engine through the rounds of one block, by the clock."""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from portward.scan.course import Counts, Course, Pace, Step
from portward.scan.engines import Engine

_SLICE = 0.002
"""Seconds' worth of probes between two looks at what has come back."""
_LEAST_SLICE = 16
_MOST_SLICE = 4096
_NAP = 0.001

Watch = Callable[[Counts, int], None]
"""Is told, several times a second, what is counted and in which round."""


class Outcome(NamedTuple):
    """How a block ended."""

    counts: Counts
    rounds: int
    uncertain: bool
    """Packets were being lost to the last, so silence proves nothing."""
    rationed: bool
    complete: bool
    """False: it was interrupted."""


class Clock(Protocol):
    """What of the module time is used; a test has another one."""

    def monotonic(self) -> float:
        """Return seconds."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


def sweep(engine: Engine, pace: Pace, course: Course, watch: Watch, clock: Clock = time) -> Outcome:
    """Ask until the answer is stable; Ctrl-C ends it early, with what is known by then."""
    step = Step.AGAIN
    complete = True
    try:
        while step == Step.AGAIN:
            if course.rounds:
                engine.next_round()
            pace.new_round()
            _round(engine, pace, course, watch, clock)
            _settle(engine, course, clock)
            step = course.after_round(engine.counts())
    except KeyboardInterrupt:
        engine.poll()
        complete = False
    uncertain = step == Step.UNCERTAIN
    return Outcome(engine.counts(), course.rounds, uncertain, course.rationed, complete)


def _round(engine: Engine, pace: Pace, course: Course, watch: Watch, clock: Clock) -> None:
    """Send to all that have not answered, at the pace."""
    due = clock.monotonic()
    pace.sample(due, engine.counts())
    while True:
        most = int(pace.rate * _SLICE)
        sent = engine.send(
            min(max(most, 1 if pace.rate < 1 / _SLICE else _LEAST_SLICE), _MOST_SLICE)
        )
        engine.poll()
        counts = engine.counts()
        now = clock.monotonic()
        pace.sample(now, counts)
        watch(counts, course.rounds + 1)
        if not sent:
            return
        due = max(due + sent / pace.rate, now - _SLICE)  # what was missed is not caught up with
        while (left := due - clock.monotonic()) > 0:
            clock.sleep(min(left, _NAP))
            engine.poll()


def _settle(engine: Engine, course: Course, clock: Clock) -> None:
    """Wait until all have answered, or nothing has come for a while."""
    last = clock.monotonic()
    before = engine.counts()
    while before.answered + before.refused < course.count:
        clock.sleep(_NAP)
        engine.poll()
        counts = engine.counts()
        now = clock.monotonic()
        if (counts.answered, counts.refused) != (before.answered, before.refused):
            before, last = counts, now
        elif now - last > course.wait(counts.slowest):
            return
