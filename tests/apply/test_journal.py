from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from build import TAKEN, policy
from portward.apply import disk, journal, run
from portward.apply.journal import Began, Confirmed, Doing, Done, Fault, RolledBack, Undoing, Undone
from portward.apply.lock import held
from portward.apply.steps import file
from portward.model.applied import State, Who
from portward.model.errors import ApplyError
from portward.model.plan import Change, Plan, Refusal, WriteFile

WHO = Who(uid=0, user="anna", source="203.0.113.7")
NOW = datetime(2026, 1, 15, tzinfo=UTC)
SAVED = file.Saved(file=disk.Saved(path="/x", data=b"\x00\xff"), missing=())


def plan(*paths: str) -> Plan:
    steps = tuple(WriteFile(path=path, text="new") for path in paths)
    change = Change(subject="files", title="Write files", why="a test", steps=steps)
    return Plan(
        portward="0",
        made=TAKEN,
        hostname="web1",
        policy=policy(),
        effects=(),
        changes=(change,) if paths else (),
        cuts=(),
        way_in=(),
        refusals=(),
        notes=(),
    )


def states(place: Path, *records: journal.Any) -> list[State]:
    """Return the state after each record."""
    written = journal.create(place, plan("/x", "/y"), WHO)
    found = []
    for record in records:
        written.append(record)
        found.append(written.applied().state)
    return found


def test_the_state_follows_from_the_records_alone(tmp_path: Path) -> None:
    assert states(
        tmp_path,
        Doing(change=0, step=0, saved=SAVED),
        Done(change=0, step=0),
        journal.deadline(60),
        Confirmed(time=NOW),
        Undoing(reason="asked for"),
        Undone(change=0, step=0),
        RolledBack(time=NOW),
    ) == [
        State.APPLYING,
        State.APPLYING,
        State.WAITING,
        State.CONFIRMED,
        State.ROLLING_BACK,
        State.ROLLING_BACK,
        State.ROLLED_BACK,
    ]


def test_what_may_have_been_done_is_to_undo_and_nothing_else(tmp_path: Path) -> None:
    written = journal.create(tmp_path, plan("/x", "/y"), WHO)
    assert written.to_undo() == []
    first, second = (Doing(change=0, step=number, saved=SAVED) for number in (0, 1))
    written.append(first)
    written.append(Done(change=0, step=0))
    written.append(second)
    assert written.to_undo() == [first, second]  # files before what reads them
    written.append(Undone(change=0, step=0))
    assert written.to_undo() == [second]


@pytest.mark.parametrize("cut", [2, 10, 30])
def test_a_last_line_that_a_power_loss_cut_short_counts_as_not_written(
    tmp_path: Path, cut: int
) -> None:
    written = journal.create(tmp_path, plan("/x"), WHO)
    written.append(Doing(change=0, step=0, saved=SAVED))
    records = written.place / "journal"
    records.write_bytes(records.read_bytes()[:-cut])
    assert [type(one) for one in written.records()] == [Began]
    written.append(Undoing(reason="it was cut off"))
    assert [type(one) for one in written.records()] == [Began, Undoing]


def test_what_could_not_be_undone_is_named_with_its_change(tmp_path: Path) -> None:
    written = journal.create(tmp_path, plan("/x"), WHO)
    written.append(Undoing(reason="asked for"))
    written.append(Fault(change=0, step=0, reason="the disk is broken"))
    assert written.applied().faults == ("Write files: the disk is broken",)


def test_numbers_grow_and_the_newest_comes_first(tmp_path: Path) -> None:
    for _ in range(12):
        journal.create(tmp_path, plan("/x"), WHO)
    assert [one.number for one in journal.journals(tmp_path)] == list(range(12, 0, -1))


def test_the_journal_is_its_owners_alone(tmp_path: Path) -> None:
    written = journal.create(tmp_path, plan("/x"), WHO)
    for path in (written.place, *written.place.iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path


def test_only_one_at_a_time_and_the_other_is_told_who(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(ApplyError, match="is changing the machine"), held(tmp_path):
        pass
    with held(tmp_path):
        pass


def test_nothing_waits_where_nothing_was_applied(tmp_path: Path) -> None:
    with pytest.raises(ApplyError, match="nothing waits to be confirmed"):
        run.confirm(tmp_path)
    with pytest.raises(ApplyError, match="nothing to take back"):
        run.rollback(tmp_path)
    assert run.history(tmp_path) == ()


def test_a_refused_plan_is_not_begun(tmp_path: Path) -> None:
    refused = replace(plan("/x"), refusals=(Refusal(what="it locks you out", mend="add SSH"),))
    with pytest.raises(ApplyError, match="it locks you out"):
        run.apply(refused, state_dir=tmp_path, confirm_within=60, who=WHO, verify=lambda: None)
    assert not (tmp_path / "applies").exists()
