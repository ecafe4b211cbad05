"""Whole plans of real machines: what is promised, and that nothing is left to do afterwards."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from portward import flow
from portward.backends import nftables
from portward.knowledge import catalogue
from portward.model import plans, snapshots
from portward.model.case import Case
from portward.model.errors import PlanError
from portward.model.host import Snapshot
from portward.model.plan import LoadTable, Plan, SetUnits
from portward.plan.after import after
from portward.plan.effects import unlike
from portward.plan.ways import Way
from portward.policy.resolve import Intent, resolve
from portward.report import Look, render
from reach.captures import Capture

ROOT = Path(__file__).parents[2]
DAY = date(2026, 1, 15)
KNOWN = catalogue.load()
EXAMPLE = ROOT / "docs/example/web1.json"
MACHINES = sorted((ROOT / "tests/captures/machines").glob("*.json"))


def example() -> Snapshot:
    return snapshots.decode(EXAMPLE.read_bytes(), str(EXAMPLE))


def case(snapshot: Snapshot, *roles: str) -> Case:
    return flow.join(snapshot, resolve(Intent(roles=roles), KNOWN), KNOWN, DAY)


def applied(made: Plan, judged: Case) -> Case:
    """Return the case of the machine as it would be."""
    own = nftables.table(judged.policy, judged.snapshot, DAY)
    later = after(judged.snapshot, made.changes, own)
    return flow.join(later, judged.policy, KNOWN, DAY)


@pytest.mark.parametrize("roles", [("web-server",), ("isolated",), ("router", "web-server")])
def test_nothing_is_left_to_do_afterwards_and_the_promise_holds(roles: tuple[str, ...]) -> None:
    judged = case(example(), *roles)
    made = flow.plan(judged)
    assert made.changes
    later = applied(made, judged)
    assert [one.subject for one in flow.plan(later).changes] == []
    assert unlike(made.effects, later) is None


@pytest.mark.parametrize("file", MACHINES, ids=lambda path: path.stem)
def test_machines_of_other_tools_are_closed_once(file: Path) -> None:
    snapshot = msgspec.json.decode(file.read_bytes(), type=Capture).snapshot
    judged = case(snapshot, "web-server", "container-host")
    made = flow.plan(judged)
    later = applied(made, judged)
    assert [one.subject for one in flow.plan(later).changes] == []
    assert unlike(made.effects, later) is None


def test_the_firewall_comes_before_all_else() -> None:
    made = flow.plan(case(example(), "web-server"))
    first = made.changes[0]
    assert any(isinstance(step, LoadTable) for step in first.steps)


def test_every_port_of_the_example_that_no_role_needs_ends_with_nobody() -> None:
    made = flow.plan(case(example(), "web-server"))
    ends = {(one.port, one.after) for one in made.effects}
    for port in (23, 111, 137, 139, 161, 445, 5353, 5432, 8080):
        assert (port, "nobody") in ends
    assert (22, "private networks") in ends
    assert not any(port == 80 for port, _ in ends)


def test_the_way_in_is_never_a_unit_that_is_stopped() -> None:
    made = flow.plan(case(example(), "isolated"))
    units = {
        one.unit
        for change in made.changes
        for step in change.steps
        if isinstance(step, SetUnits)
        for one in step.units
    }
    assert units
    assert not any(unit.startswith(("ssh", "systemd-", "dbus")) for unit in units)


def test_a_role_that_shuts_the_way_in_is_refused() -> None:
    made = flow.plan(case(example(), "isolated"), (Way(source="203.0.113.7"),))
    assert "would be shut" in made.refusals[0].what


def test_a_guess_is_shown_and_cannot_be_applied() -> None:
    judged = flow.case(example(), day=DAY)
    made = flow.plan(judged)
    assert any("a guess closes nothing" in one.what for one in made.refusals)


def test_a_plan_is_read_as_it_was_written() -> None:
    made = flow.plan(case(example(), "web-server"), (Way(source="10.0.0.0/24"),))
    assert plans.decode(plans.encode(made), "plan") == made
    with pytest.raises(PlanError, match="no plan of portward"):
        plans.decode(plans.encode(made)[:-20], "plan")


@pytest.mark.parametrize("width", [60, 96, 200])
def test_the_screen_fits_its_width_but_for_commands(width: int) -> None:
    made = flow.plan(case(example(), "web-server"), (Way(source="10.0.0.0/24"),))
    text = render("plain", made, Look(width=width))
    rules = {line.strip() for line in render("nft", made, Look()).splitlines()}
    long = [line for line in text.splitlines() if len(line) > width and line.strip() not in rules]
    assert all(line.lstrip().startswith(("systemctl", "sysctl", "write", "nft")) for line in long)


def test_the_json_has_what_a_program_needs() -> None:
    made = flow.plan(case(example(), "web-server"))
    found = msgspec.json.decode(render("json", made, Look()))
    assert found["schema"] == "portward-plan/1"
    step = found["changes"][0]["steps"][0]
    assert step["commands"] == ["write /etc/portward/firewall.nft"]
    assert "byte by byte" in step["undo"]
    assert render("nft", made, Look()).startswith("table inet portward")
