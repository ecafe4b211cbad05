"""How fast a scan goes and when it is done (pure: the time comes in as a value).

The probes of a round are a random sample of all, so the share of them that is answered is about
the same all the time. Where it falls, packets are being lost, and the rate is cut. Open ports are
the better witness: they are asked again during the whole scan ("canaries"), and as long as they
answer, the silence of others is their own. Without that, a host that rations its refusals could
not be told from one that is overwhelmed.
"""

from collections import deque
from enum import Enum
from math import inf, sqrt
from typing import NamedTuple

MIN_ROUNDS = 3
"""No port counts as silent that was asked less often."""
MAX_ROUNDS = 12
RISK = 0.001
"""The number of open ports that may be missed, by what is known of the loss."""

SHORTEST_WAIT = 0.1
"""Seconds; a host that is busy with something else may take that long."""
LONGEST_WAIT = 3.0
UNKNOWN_WAIT = 1.0
"""As long as the round-trip time is not known (RFC 6298)."""

_WINDOW = 0.01
_LEAST = 1000
_SLOWEST = 500.0
_FASTEST = 10_000_000.0
_HASTE = 1.08
_CUT = 0.9
_FEW = 8
_WITNESSES = 32
"""So many canaries are needed to judge the rate by them."""
_BEARABLE = 0.15
"""A loss of canaries that slowing down is not worth: a round more costs less."""
_FEW_SILENT = 50
"""One of so many, or fewer, is few."""
_WORTH = 0.2
"""A round that closes a smaller share of what it asks is not repeated for the closed ones' sake."""


class Counts(NamedTuple):
    """What an engine has counted since the scan began."""

    sent: int = 0
    """Probes, without canaries."""
    answered: int = 0
    """Probes that a SYN-ACK or RST answered."""
    opened: int = 0
    refused: int = 0
    """Probes that ICMP answered: rationed everywhere, so no sign of anything."""
    canaries: int = 0
    returned: int = 0
    """Canaries that were answered."""
    full: int = 0
    """Times that this side's own queue took no more probes; they were sent later."""
    dropped: int = 0
    """Frames that arrived and that this side had no room for."""
    slowest: float = 0.0
    """Seconds of the slowest answer."""
    usual: float = 0.0
    """Seconds that an answer takes, averaged over the last few."""


class Limits(NamedTuple):
    """Between which rates, in probes a second, the pace is found."""

    start: float
    most: float
    blind: float
    """The most while nothing at all answers, so that nobody would notice harm."""

    def slower(self, rate: float) -> "Limits":
        """Return limits none of which is above a rate."""
        return Limits(*(min(rate, one) for one in self))


class Pace:
    """Finds the rate that path and host bear."""

    def __init__(self, limits: Limits) -> None:
        """Begin slowly."""
        self.limits = limits
        self.rate = min(limits.start, limits.most)
        self.peak = 0.0
        """The highest rate that was reached."""
        self._history: deque[tuple[float, Counts]] = deque()
        self._window: tuple[float, Counts] | None = None
        self._share: float | None = None
        self._cut: tuple[float, float, float] | None = None
        """Share, speed and rate before the last cut, if the window before was cut."""
        self._goal = inf
        self._borne = 0.0
        """The loss of canaries that slowing down did not change."""
        self._witness: deque[tuple[int, int]] = deque(maxlen=64)

    def new_round(self) -> None:
        """Forget the share of answers: those that are asked now are others."""
        self._share = None
        self._window = None
        self._history.clear()
        self._witness.clear()

    def sample(self, now: float, counts: Counts) -> None:
        """Take the counts of a moment, and adapt."""
        self._history.append((now, counts))
        if self._window is None:
            self._window = (now, counts)
            return
        began, before = self._window
        # An answer takes a while: compare with what had been sent one round trip ago.
        while len(self._history) > 1 and self._history[1][0] <= now - counts.usual:
            self._history.popleft()
        sent = self._history[0][1].sent - before.sent
        seconds = now - began
        if seconds < _WINDOW or sent < min(_LEAST, self.rate * 2 * _WINDOW):
            return
        real = (counts.sent - before.sent) / seconds
        self.peak = max(self.peak, real)
        self._window = (now, counts._replace(sent=self._history[0][1].sent))
        self._witness.append((counts.canaries - before.canaries, counts.returned - before.returned))
        choked = counts.full > before.full or counts.dropped > before.dropped
        self._adapt(sent, counts.answered - before.answered, real, choked=choked)

    def _adapt(self, sent: int, answered: int, real: float, *, choked: bool) -> None:
        share = min(1.0, answered / sent)
        if self._share is None:  # the round-trip time is hardly known yet: take what was sent
            self._share = min(1.0, answered / max(sent, real * _WINDOW))
        expected = self._share * sent
        slack = max(0.05 * sent, 3 * sqrt(self._share * (1 - self._share) * sent)) + 8
        missing = expected - answered
        asked = sum(one for one, _ in self._witness)
        returned = sum(one for _, one in self._witness)
        lost = 1 - returned / asked if asked >= _WITNESSES else 0.0
        if lost > self._borne + _BEARABLE:
            if lost < _BEARABLE * 3 and self._in_vain(1 - lost, real):
                self._borne, self._cut = lost, None
            else:
                self._slow_down(1 - lost, real, lost)
        elif choked or (missing > slack and not asked):
            if self._in_vain(share, real):
                self._share, self._cut = share, None
            else:
                self._slow_down(share, real, missing / max(1.0, expected))
        elif self._cut is None or not asked or asked >= _WITNESSES:
            # Slowly downwards, or a loss that creeps in with the rate would pass for normal.
            drift = 1.0 if missing > slack else 0.02 if share < self._share else 0.3
            self._share += drift * (share - self._share)
            self._speed_up(real, blind=not answered and not returned)

    def _in_vain(self, share: float, real: float) -> bool:
        """Say whether the last cut changed nothing: the loss is not of our making, so undo it."""
        if self._cut is None:
            return False
        before, faster, rate = self._cut
        hoped = min(1.0, before * faster / max(1.0, real))
        if faster < 1.2 * real or share - before > 0.3 * (hoped - before):
            return False
        self.rate = rate
        return True

    def _slow_down(self, share: float, real: float, lost: float) -> None:
        keep = max(0.5, 1 - max(0.0, lost)) * _CUT
        # A window in which this process did not run says little of the path.
        base = min(self.rate, max(real, self.rate / 2))
        if self._cut is None:
            self._goal = base * keep * _CUT
        self._cut = share, real, self.rate
        self.rate = max(_SLOWEST, base * keep)
        self._witness.clear()

    def _speed_up(self, real: float, *, blind: bool) -> None:
        most = min(self.limits.most, self.limits.blind) if blind else self.limits.most
        self._cut = None
        if real > 0.5 * self.rate and self.rate < most:
            haste = 2 if self.rate < self._goal / 2 else _HASTE
            self.rate = min(most, _FASTEST, self.rate * haste)


class Step(Enum):
    """What to do after a round."""

    AGAIN = "again"
    DONE = "done"
    UNCERTAIN = "uncertain"
    """Done, but packets were being lost to the last, on the way or on this side."""


class Course:
    """Decides after each round whether those that were silent are asked once more."""

    def __init__(self, count: int, *, near: bool, patient: bool = False) -> None:
        """Begin a block of so many probes.

        near: the hosts are on our own link. patient: what answers are programs, not the kernel.
        """
        self.count = count
        self._unknown = UNKNOWN_WAIT if patient or not near else 2 * SHORTEST_WAIT
        self._shortest = 3 * SHORTEST_WAIT if patient else SHORTEST_WAIT
        self.rounds = 0
        self.rationed = False
        """The host answers open ports, and of the closed ones just some."""
        self._before = Counts()
        self._closed: int | None = None
        self._late = 0.0
        self._risk = 1.0

    def after_round(self, counts: Counts) -> Step:
        """Judge the round that has just ended."""
        self.rounds += 1
        before, self._before = self._before, counts
        dropped = counts.dropped > before.dropped
        closed = counts.answered - counts.opened - (before.answered - before.opened)
        self.rationed = self._rations(before, counts, closed)
        self._closed = closed
        if counts.answered + counts.refused >= self.count:
            return Step.DONE
        self._learn(before, counts)
        if self.rounds >= MAX_ROUNDS:
            doubt = self._risk * max(1, counts.opened) > 10 * RISK
            return Step.UNCERTAIN if dropped or doubt else Step.DONE
        if self.rounds < MIN_ROUNDS:
            return Step.AGAIN
        fresh = counts.opened > before.opened or (closed and not self.rationed)
        silent = self.count - counts.answered - counts.refused
        # Few that are silent cost little: then closed ports are worth as much care as open ones.
        worth = counts.answered if silent * _FEW_SILENT < self.count else counts.opened
        if dropped or fresh or self._risk * max(1, worth) > RISK:
            return Step.AGAIN
        return Step.DONE

    def _rations(self, before: Counts, after: Counts, closed: int) -> bool:
        """Say whether some closed ports answer, of many, while canaries show that all could.

        What a path loses comes in the next round, all but a part as small as the loss; what is
        rationed comes in every round alike.
        """
        asked = after.canaries - before.canaries
        returned = after.returned - before.returned
        if asked < _FEW or 2 * returned < asked or self._closed is None:
            return False
        loss = 1 - returned / asked
        barren = closed < _WORTH * (after.sent - before.sent)
        return barren and closed > max(_FEW, self._closed * (2 * loss + 0.1))

    def _learn(self, before: Counts, after: Counts) -> None:
        """Lower the risk that an open port was silent in every round, by what canaries say."""
        asked = after.canaries - before.canaries
        returned = after.returned - before.returned
        if asked < _FEW:  # the rounds before speak for this short one
            asked, returned = after.canaries, after.returned
        if asked >= _FEW:
            loss = (asked - returned + 1) / (asked + 2)
        else:  # No witness: the answers that came late say how many were lost.
            if self.rounds > 1:
                late = (after.answered - before.answered) / max(1, after.answered)
                self._late = max(self._late, late)
            loss = max(self._late, 0.01) if after.answered else 0.05
        self._risk *= loss

    def wait(self, slowest: float) -> float:
        """Return for how many seconds silence ends a round."""
        if slowest:
            return min(LONGEST_WAIT, max(self._shortest, 3 * slowest))
        return self._unknown
