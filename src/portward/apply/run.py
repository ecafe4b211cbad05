"""Applies a plan, confirms it, takes it back: always either the old state or the new one."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from portward.apply import guard, journal, steps
from portward.apply.journal import (
    Confirmed,
    Doing,
    Done,
    Fault,
    Journal,
    RolledBack,
    Undoing,
    Undone,
)
from portward.apply.lock import held
from portward.model.applied import Applied, State, Who
from portward.model.errors import ApplyError, PortwardError
from portward.model.plan import Plan

_PATIENCE = 5.0
"""Seconds: the guard looks at the journal now and then, which takes a moment."""

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OPEN = frozenset({State.APPLYING, State.WAITING, State.ROLLING_BACK})

Verify = Callable[[], str | None]
"""Says why the machine is not as the plan promised, or None where it is."""
Checkpoint = Callable[[str], None]
"""Is told each moment between two writes; tests end the process there."""


def _pass(_moment: str) -> None:
    """Go on."""


class Stopped(BaseException):
    """Somebody asked the process to end; what it did is taken back first."""


def apply(
    plan: Plan,
    *,
    state_dir: Path,
    confirm_within: float,
    who: Who,
    verify: Verify,
    checkpoint: Checkpoint = _pass,
) -> Applied:
    """Do every step of a plan, or none: whatever fails, all is as before.

    Afterwards it waits to be confirmed; a process of its own takes it back if nobody does.

    Raises:
        ApplyError: it was not begun, or something failed; says what, and how the machine is now.

    """
    if plan.refusals:
        raise ApplyError(plan.refusals[0].what, mend=plan.refusals[0].mend)
    with held(state_dir):
        expect_none_open(state_dir)
        with _no_partial_journal(state_dir):
            written = journal.create(state_dir, plan, who)
        checkpoint("created")
        guard.install_recovery(state_dir)
        checkpoint("recovery installed")
        try:
            with _stopped_by_signals():
                guard.start(state_dir, written.number)
                checkpoint("guard started")
                _do(plan, written, checkpoint)
                if why := verify():
                    raise ApplyError(f"afterwards the machine is not as promised: {why}")
                checkpoint("verified")
            written.append(journal.deadline(confirm_within))
        except (PortwardError, OSError, Stopped) as failure:
            reason = str(failure) or "it was stopped"
            _take_back(written, reason, checkpoint)
            raise ApplyError(f"{reason}; {_told(written.applied())}") from None
        checkpoint("finished")
    return written.applied()


def confirm(state_dir: Path) -> Applied:
    """Keep what waits to be confirmed."""
    with held(state_dir, seconds=_PATIENCE):
        newest = _newest(state_dir)
        found = newest.applied() if newest else None
        if newest is None or found is None or found.state != State.WAITING:
            raise ApplyError("nothing waits to be confirmed", mend="see portward history")
        if not found.seconds_left:
            raise ApplyError(
                "it is too late: the time to confirm is over", mend="see portward history"
            )
        newest.append(Confirmed(time=journal.now()))
        newest.free_reserve()
        guard.remove_recovery()
        return newest.applied()


def rollback(
    state_dir: Path, number: int | None = None, reason: str = "asked for"
) -> tuple[Applied, ...]:
    """Take back the newest apply that stands, or all down to the one with a number."""
    with held(state_dir, seconds=_PATIENCE):
        standing = [
            one for one in journal.journals(state_dir) if one.applied().state != State.ROLLED_BACK
        ]
        if not standing:
            raise ApplyError("there is nothing to take back", mend="see portward history")
        last = standing[0].number if number is None else number
        if last not in {one.number for one in standing}:
            raise ApplyError(f"there is no apply {last} to take back", mend="see portward history")
        undone = []
        for one in standing:
            if one.number >= last:
                _take_back(one, reason)
                undone.append(one.applied())
        return tuple(undone)


def history(state_dir: Path) -> tuple[Applied, ...]:
    """Return every apply, the newest first; needs root, as what is open is nobody's business."""
    try:
        return tuple(one.applied() for one in journal.journals(state_dir))
    except PermissionError:
        raise ApplyError("only root may read the history", mend="run it with sudo") from None


def expect_none_open(state_dir: Path) -> None:
    """Refuse to begin while another apply is neither kept nor taken back."""
    newest = _newest(state_dir)
    if newest is None:
        return
    found = newest.applied()
    if found.state in _OPEN:
        raise ApplyError(f"apply {found.number} is {found.state}", mend=_MENDS[found.state])


_MENDS = {
    State.APPLYING: "it was cut off; take it back with portward rollback",
    State.WAITING: "keep it with portward confirm, or take it back with portward rollback",
    State.ROLLING_BACK: "take it back with portward rollback",
}


def finish_undo(state_dir: Path, number: int, reason: str) -> None:
    """Take back one apply that nobody confirmed; the caller holds the lock."""
    for one in journal.journals(state_dir):
        if one.number == number:
            _take_back(one, reason)


def _do(plan: Plan, written: Journal, checkpoint: Checkpoint) -> None:
    """Do every step; each stands in the journal before it is done."""
    for at, change in enumerate(plan.changes):
        for number, step in enumerate(change.steps):
            here = f"{at}.{number}"
            saved = steps.save(step)
            checkpoint(f"{here} saved")
            written.append(Doing(change=at, step=number, saved=saved))
            checkpoint(f"{here} announced")
            steps.do(step, saved)
            checkpoint(f"{here} done")
            if why := steps.holds(step):
                raise ApplyError(f"{change.title}: {why}")
            written.append(Done(change=at, step=number))
            checkpoint(f"{here} written")


def _take_back(written: Journal, reason: str, checkpoint: Checkpoint = _pass) -> None:
    """Undo what may have been done, the last first; a step that resists does not stop the rest."""
    with _until_the_end():
        written.free_reserve()
        _note(written, Undoing(reason=reason))
        checkpoint("undoing")
        plan = written.plan
        for doing in written.to_undo():
            step = plan.changes[doing.change].steps[doing.step]
            try:
                steps.undo(step, doing.saved)
            except (PortwardError, OSError) as failure:
                _note(written, Fault(change=doing.change, step=doing.step, reason=str(failure)))
            else:
                _note(written, Undone(change=doing.change, step=doing.step))
            checkpoint(f"{doing.change}.{doing.step} undone")
        if not written.to_undo():
            _note(written, RolledBack(time=journal.now()))
            guard.remove_recovery()


def _note(written: Journal, record: journal.Any) -> None:
    """Write a record of an undo, which goes on even where the disk takes nothing more."""
    with suppress(OSError, ApplyError):
        written.append(record)


def _told(found: Applied) -> str:
    if found.state == State.ROLLED_BACK:
        return "everything was taken back, the machine is as before"
    what = "; ".join(found.faults) or "see portward history"
    return f"NOT everything could be taken back: {what}"


def _newest(state_dir: Path) -> Journal | None:
    return next(iter(journal.journals(state_dir)), None)


@contextmanager
def _no_partial_journal(state_dir: Path) -> Iterator[None]:
    """Turn a disk that takes no journal into a refusal: nothing was changed yet."""
    try:
        yield
    except OSError as error:
        raise ApplyError(
            f"the journal cannot be written ({error.strerror}), so nothing was changed",
            where=str(state_dir),
        ) from None


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Turn the signals that end a process into Stopped."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise Stopped(f"it was stopped by {signal.Signals(number).name}")

    with _handled(stop):
        yield


@contextmanager
def _until_the_end() -> Iterator[None]:
    """Let no signal but SIGKILL end the process."""
    with _handled(signal.SIG_IGN):
        yield


@contextmanager
def _handled(how: "Callable[[int, FrameType | None], None] | signal.Handlers") -> Iterator[None]:
    before = {number: signal.signal(number, how) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
