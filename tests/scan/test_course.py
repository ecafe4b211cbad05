"""The course of a scan against worlds of every kind, in their own time: nothing open is missed."""

from hypothesis import given, settings
from hypothesis import strategies as st

from portward.scan.course import MAX_ROUNDS, MIN_ROUNDS, Counts, Course, Limits, Pace, Step
from portward.scan.sweep import Outcome, sweep
from portward.scan.wire import Kind
from scan.world import Bucket, Clock, SimulatedEngine, World

LIMITS = Limits(50_000, 10_000_000, 50_000)
OPEN = frozenset({7, 99, 1234, 2500, 3999, 3, 4, 5, 6, 4095})
COUNT = 4096


def scan(
    world: World, count: int = COUNT, seed: int = 1, limits: Limits = LIMITS
) -> tuple[SimulatedEngine, Outcome, float]:
    clock = Clock()
    engine = SimulatedEngine(world, count, clock, seed)
    pace, course = Pace(limits), Course(count, near=True)
    outcome = sweep(engine, pace, course, lambda _counts, _round: None, clock)
    return engine, outcome, clock.now - 1000


def states(engine: SimulatedEngine) -> dict[Kind, int]:
    found = engine.table.states()
    return {kind: found.count(kind) for kind in Kind}


def test_a_host_that_answers_everything_is_asked_once() -> None:
    engine, outcome, seconds = scan(World(OPEN))
    assert outcome.rounds == 1
    assert states(engine) == {0: 0, Kind.OPEN: 10, Kind.CLOSED: COUNT - 10, Kind.REFUSED: 0}
    assert seconds < 0.3


def test_a_host_that_drops_is_asked_three_times_and_not_waited_for() -> None:
    engine, outcome, seconds = scan(World(OPEN, dropped=frozenset(range(COUNT)) - OPEN))
    assert outcome.rounds == MIN_ROUNDS
    assert engine.opened == len(OPEN)
    assert seconds < 1.5


def test_a_host_that_is_silent_altogether_ends_the_scan() -> None:
    engine, outcome, _ = scan(World(frozenset(), dropped=frozenset(range(COUNT))))
    assert outcome.rounds == MIN_ROUNDS
    assert states(engine)[Kind.SILENT] == COUNT


def test_nothing_faster_than_the_blind_limit_while_nobody_answers() -> None:
    clock = Clock()
    engine = SimulatedEngine(World(frozenset(), frozenset(range(COUNT))), COUNT, clock)
    pace = Pace(Limits(1000, 10_000_000, 5000))
    sweep(engine, pace, Course(COUNT, near=False), lambda _counts, _round: None, clock)
    assert pace.rate <= 5000


@settings(max_examples=15)
@given(st.floats(0, 0.15), st.floats(0.0001, 0.3), st.integers(0, 1 << 30))
def test_whatever_the_path_loses_all_ports_are_right(loss: float, trip: float, seed: int) -> None:
    engine, outcome, _ = scan(World(OPEN, loss=loss, trip=trip), seed=seed)
    found = states(engine)
    assert found[Kind.OPEN] == len(OPEN)
    assert found[Kind.SILENT] <= 1  # one of 4,086 closed ports may have been silent every time
    assert not outcome.rationed


@settings(max_examples=8)
@given(st.floats(2000, 100_000), st.integers(0, 1 << 30))
def test_a_host_that_is_overwhelmed_is_asked_more_slowly(rate: float, seed: int) -> None:
    world = World(OPEN, police=Bucket(rate, 200), speed=400_000)
    engine, outcome, seconds = scan(world, seed=seed)
    assert states(engine)[Kind.OPEN] == len(OPEN)
    assert states(engine)[Kind.SILENT] == 0
    assert outcome.rounds < MAX_ROUNDS
    assert seconds < 6 * COUNT / rate + 3


@settings(max_examples=8)
@given(st.floats(100, 1000), st.floats(0, 0.1), st.integers(0, 1 << 30))
def test_refusals_that_are_rationed_do_not_slow_the_scan(
    rate: float, loss: float, seed: int
) -> None:
    world = World(OPEN, ration=Bucket(rate, 10), loss=loss)
    engine, outcome, seconds = scan(world, seed=seed)
    assert states(engine)[Kind.OPEN] == len(OPEN)
    assert outcome.rationed
    assert seconds < 5


@settings(max_examples=8)
@given(st.floats(0, 0.1), st.integers(0, 1 << 30))
def test_icmp_that_is_rationed_does_not_slow_the_scan(loss: float, seed: int) -> None:
    world = World(OPEN, dropped=frozenset(range(COUNT)) - OPEN, refuse=Bucket(1000, 6), loss=loss)
    engine, outcome, seconds = scan(world, seed=seed)
    assert states(engine)[Kind.OPEN] == len(OPEN)
    assert states(engine)[Kind.REFUSED] > 0
    assert outcome.rounds <= 8
    assert seconds < 4


def test_one_port_is_a_scan() -> None:
    engine, outcome, _ = scan(World(frozenset({0})), count=1)
    assert engine.opened == 1
    assert outcome.rounds == 1


def test_frames_that_this_side_lost_are_asked_again_and_doubted_in_the_end() -> None:
    course = Course(10, near=True)
    counts = Counts(sent=10, answered=9, opened=1)
    for turn in range(1, MAX_ROUNDS):
        counts = counts._replace(sent=counts.sent + 1, dropped=turn)
        assert course.after_round(counts) == Step.AGAIN
    assert course.after_round(counts._replace(dropped=99)) == Step.UNCERTAIN


def test_a_loss_in_one_round_only_is_healed_by_the_next() -> None:
    course = Course(10, near=True)
    steps = []
    counts = Counts(sent=10, answered=9, opened=1, dropped=3)
    for _ in range(6):
        steps.append(course.after_round(counts))
        counts = counts._replace(sent=counts.sent + 1)
    assert Step.DONE in steps
    assert Step.UNCERTAIN not in steps


def test_a_full_queue_slows_down() -> None:
    pace = Pace(Limits(100_000, 10_000_000, 100_000))
    pace.new_round()
    pace.sample(0.0, Counts())
    pace.sample(0.1, Counts(sent=10_000, answered=10_000))
    before = pace.rate
    pace.sample(0.2, Counts(sent=20_000, answered=20_000, full=5))
    assert pace.rate < before


def test_the_wait_is_as_long_as_the_round_trip_asks() -> None:
    course = Course(10, near=False)
    assert course.wait(0.0) == 1.0
    assert course.wait(0.0001) == 0.1
    assert course.wait(0.25) == 0.75
    assert course.wait(30) == 3.0
    assert Course(10, near=True).wait(0.0) == 0.2
