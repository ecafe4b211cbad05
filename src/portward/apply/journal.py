"""The journal: what is about to be done stands on the disk before it is done.

One folder an apply below the state directory: the plan, and records that are only ever added,
each a line of JSON. A last line that a power loss cut short counts as not written: what it
announced had not begun.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from portward.apply import disk
from portward.apply.steps import Saved
from portward.model import plans
from portward.model.applied import Applied, State, Who
from portward.model.errors import ApplyError
from portward.model.plan import Plan

PRIVATE = 0o700
_FOLDER, _PLAN, _RECORDS, _RESERVE = "applies", "plan.json", "journal", "reserve"
_RESERVED_BYTES = 1 << 20
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Record(Struct, frozen=True, kw_only=True, tag_field="what"):
    """Base of what stands in a journal."""


class Began(Record, frozen=True, kw_only=True, tag="began"):
    """Who began, and when."""

    time: datetime
    who: Who


class Doing(Record, frozen=True, kw_only=True, tag="doing"):
    """A step is about to be done, and this is what was there before."""

    change: int
    step: int
    saved: Saved


class Done(Record, frozen=True, kw_only=True, tag="done"):
    """A step is done, and read back."""

    change: int
    step: int


class Finished(Record, frozen=True, kw_only=True, tag="finished"):
    """Everything is done; it waits to be confirmed."""

    boot: str
    deadline: float
    """On CLOCK_BOOTTIME of this boot, which also counts while the machine sleeps."""


class Confirmed(Record, frozen=True, kw_only=True, tag="confirmed"):
    """Somebody has said that it may stay."""

    time: datetime


class Undoing(Record, frozen=True, kw_only=True, tag="undoing"):
    """It is about to be taken back."""

    reason: str


class Undone(Record, frozen=True, kw_only=True, tag="undone"):
    """A step is as before."""

    change: int
    step: int


class Fault(Record, frozen=True, kw_only=True, tag="fault"):
    """A step that could not be taken back."""

    change: int
    step: int
    reason: str


class RolledBack(Record, frozen=True, kw_only=True, tag="rolled back"):
    """All of it is as before, but for the faults."""

    time: datetime


Any: TypeAlias = Began | Doing | Done | Finished | Confirmed | Undoing | Undone | Fault | RolledBack


class Journal:
    """The journal of one apply."""

    def __init__(self, place: Path) -> None:
        """Take its folder."""
        self.place = place
        self.number = int(place.name)

    @property
    def plan(self) -> Plan:
        """The plan that was applied."""
        return plans.decode((self.place / _PLAN).read_bytes(), str(self.place / _PLAN))

    def append(self, record: Any) -> None:
        """Add a record; it is on the disk when the call returns, or OSError."""
        line = msgspec.json.encode(record) + b"\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.place / _RECORDS, flags, disk.SECRET)
        try:
            size = os.fstat(descriptor).st_size
            if size and not _ends_line(self.place / _RECORDS):
                line = b"\n" + line  # what was cut short stays a line of its own
            written = os.write(descriptor, line)
            if written != len(line):
                os.ftruncate(descriptor, size)
                raise ApplyError("the disk is full", where=str(self.place))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def records(self) -> Iterator[Any]:
        """Yield the records; a line that was cut short is as if it were not there."""
        try:
            lines = (self.place / _RECORDS).read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            with suppress(msgspec.DecodeError):
                yield msgspec.json.decode(line, type=Any)

    def free_reserve(self) -> None:
        """Give back what was kept for the undo on a full disk."""
        (self.place / _RESERVE).unlink(missing_ok=True)

    def to_undo(self) -> list[Doing]:
        """Return the steps that may have been done and are not taken back, in their order.

        The last change comes first. Within a change the order stays: its files come before what
        reads them, on the way back as well.
        """
        steps: dict[tuple[int, int], Doing] = {}
        for record in self.records():
            match record:
                case Doing():
                    steps[record.change, record.step] = record
                case Undone():
                    steps.pop((record.change, record.step), None)
        return sorted(steps.values(), key=lambda one: (-one.change, one.step))

    def applied(self) -> Applied:
        """Say where it stands."""
        plan = self.plan
        state, began, ended = State.APPLYING, plan.made, None
        who = Who(uid=0, user="", source="")
        left: float | None = None
        reason = ""
        faults: list[str] = []
        for record in self.records():
            match record:
                case Began():
                    began, who = record.time, record.who
                case Finished():
                    state, left = State.WAITING, seconds_left(record)
                case Confirmed():
                    state, ended, left = State.CONFIRMED, record.time, None
                case Undoing():
                    state, reason, left, faults = State.ROLLING_BACK, record.reason, None, []
                case Fault():
                    faults.append(f"{plan.changes[record.change].title}: {record.reason}")
                case RolledBack():
                    state, ended = State.ROLLED_BACK, record.time
        names = ", ".join(role.name for role in plan.policy.roles)
        return Applied(
            number=self.number,
            state=state,
            began=began,
            ended=ended,
            who=who,
            policy=plan.policy.source or f"roles {names}",
            changes=tuple(change.title for change in plan.changes),
            effects=plan.effects,
            seconds_left=left,
            reason=reason,
            faults=tuple(faults),
        )


def create(state_dir: Path, plan: Plan, who: Who) -> Journal:
    """Begin a journal; everything that an undo may need of the disk is taken now."""
    applies = state_dir / _FOLDER
    applies.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    number = max((one.number for one in journals(state_dir)), default=0) + 1
    place = applies / str(number)
    place.mkdir(mode=PRIVATE)
    disk.write(place / _PLAN, plans.encode(plan), mode=disk.SECRET)
    disk.write(place / _RESERVE, bytes(_RESERVED_BYTES), mode=disk.SECRET)
    journal = Journal(place)
    journal.append(Began(time=now(), who=who))
    disk.sync_directory(place)
    disk.sync_directory(applies)
    return journal


def journals(state_dir: Path) -> list[Journal]:
    """Return every journal that began, the newest first."""
    applies = state_dir / _FOLDER
    if not applies.is_dir():
        return []
    places = (one for one in applies.iterdir() if one.name.isdigit() and (one / _PLAN).is_file())
    return sorted(map(Journal, places), key=lambda one: -one.number)


def now() -> datetime:
    """Return the time, for people."""
    return datetime.now(UTC)


def boot_id() -> str:
    """Return the name of this boot (random(4))."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


def deadline(seconds: float) -> Finished:
    """Return the record that gives so many seconds to confirm."""
    ends = time.clock_gettime(time.CLOCK_BOOTTIME) + seconds
    return Finished(boot=boot_id(), deadline=ends)


def seconds_left(finished: Finished) -> float:
    """Return how long there is to confirm; nothing after a reboot."""
    if finished.boot != boot_id():
        return 0
    return max(0.0, finished.deadline - time.clock_gettime(time.CLOCK_BOOTTIME))


def _ends_line(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
