"""Plans through ufw and firewalld: what they promise, refuse and say, and who stays in charge."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

import build
from portward import flow
from portward.backends import nftables, ufw
from portward.knowledge import catalogue
from portward.model.case import Case
from portward.model.host import Firewall, FirewallManager, Snapshot
from portward.model.plan import (
    LoadTable,
    Manage,
    Plan,
    SetFirewalld,
    SetUfw,
    SetUnits,
    Step,
    WriteFile,
)
from portward.model.policy import Allowance, Policy
from portward.model.service import Audience
from portward.model.status import Scope
from portward.model.unknown import Unknown
from portward.plan.after import after
from portward.plan.boot import CHOICE, FILE, UNIT, UNIT_FILE
from portward.plan.effects import unlike
from portward.policy.resolve import Intent, resolve
from portward.report import Look, render
from reach.captures import Capture

MACHINES = Path(__file__).parents[1] / "captures/machines"
DAY = date(2026, 1, 15)
KNOWN = catalogue.load()
KEPT = {ufw.DEFAULTS: 'DEFAULT_INPUT_POLICY="DROP"\n', **dict.fromkeys(ufw.FILES.values(), "")}
TOOLS = pytest.mark.parametrize("tool", ["ufw", "firewalld"])


def machine(name: str, **facts: Any) -> Snapshot:
    data = (MACHINES / f"{name}.json").read_bytes()
    found = msgspec.json.decode(data, type=Capture).snapshot
    listed = found.listeners
    assert isinstance(listed, tuple)
    # Captures leave out what tells two sockets apart.
    told = tuple(replace(one, inodes=(number,)) for number, one in enumerate(listed, 1))
    given: dict[str, Any] = {"files": KEPT, "listeners": told, "units": (build.unit(),)}
    return replace(found, **given | facts)


def case(snapshot: Snapshot, *roles: str, meant: Policy | None = None) -> Case:
    return flow.join(snapshot, meant or resolve(Intent(roles=roles), KNOWN), KNOWN, DAY)


def later(made: Plan, judged: Case) -> Case:
    own = nftables.table(judged.policy, judged.snapshot, DAY)
    snapshot = after(judged.snapshot, made.changes, own)
    return flow.join(snapshot, judged.policy, KNOWN, DAY)


def steps(made: Plan) -> list[Step]:
    return [step for change in made.changes for step in change.steps]


def refusals(made: Plan) -> str:
    return "\n".join(f"{one.what} ({one.mend})" for one in made.refusals)


@TOOLS
def test_nothing_is_left_to_do_afterwards_and_the_promise_holds(tool: str) -> None:
    judged = case(machine(tool), "web-server")
    made = flow.plan(judged, through=tool)
    assert made.refusals == ()
    assert isinstance(steps(made)[0], SetUfw if tool == "ufw" else SetFirewalld)
    assert not any(isinstance(step, LoadTable | Manage) for step in steps(made))
    done = later(made, judged)
    assert flow.plan(done).changes == ()  # without being told again
    assert unlike(made.effects, done) is None


@TOOLS
def test_every_port_ends_as_portwards_own_table_would_have_it(tool: str) -> None:
    judged = case(machine(tool), "web-server")
    through = later(flow.plan(judged, through=tool), judged)
    direct = later(flow.plan(judged, through="portward"), judged)

    reached = {Scope.EVERYONE, Scope.NETWORKS}  # firewalld has rules about the way back, too

    def opened(one: Case) -> set[object]:
        listeners = (one.listener for one in one.exposures if one.reach.scope in reached)
        return {(found.protocol, found.port, found.address) for found in listeners}

    unknown = {
        (one.listener.protocol, one.listener.port, one.listener.address)
        for one in direct.exposures
        if one.reach.scope == Scope.UNKNOWN
    }
    assert opened(through)
    assert opened(through) - unknown == opened(direct) - unknown


@TOOLS
def test_without_being_asked_for_a_tool_is_retired_as_ever(tool: str) -> None:
    made = flow.plan(case(machine(tool), "web-server"))
    assert any(isinstance(step, Manage) for step in steps(made))
    assert made.options == ()


@TOOLS
def test_the_choice_is_written_down_kept_and_can_be_changed(tool: str) -> None:
    judged = case(machine(tool), "web-server")
    made = flow.plan(judged, through=tool)
    assert WriteFile(path=CHOICE, text=f"{tool}\n") in steps(made)
    assert made.options == (f"through={tool}",)
    done = later(made, judged)
    notes = " ".join(flow.plan(done).notes)
    assert f"Through {tool}, as {CHOICE} says" in notes
    back = flow.plan(done, through="portward")
    assert WriteFile(path=CHOICE, text=None) in steps(back)
    assert any(isinstance(step, Manage) for step in steps(back))
    again = later(back, done)
    assert CHOICE not in again.snapshot.files
    assert flow.plan(again).changes == ()


def test_it_is_started_at_boot_from_then_on() -> None:
    made = flow.plan(case(machine("ufw"), "web-server"), through="ufw")
    (states,) = (step for step in steps(made) if isinstance(step, SetUnits))
    assert [(one.unit, str(one.enabling)) for one in states.units] == [("ufw.service", "enabled")]


@TOOLS
def test_portwards_own_table_is_taken_away_and_all_that_loads_it(tool: str) -> None:
    judged = case(machine(tool), "web-server")
    own = nftables.table(judged.policy, judged.snapshot, DAY)
    assert isinstance(judged.snapshot.firewall, Firewall)
    beside = case(
        replace(
            judged.snapshot,
            firewall=nftables.with_table(judged.snapshot.firewall, own),
            files={**KEPT, FILE: own.text, UNIT_FILE: "[Unit]"},
            units=(build.unit(), build.unit(UNIT, file=UNIT_FILE)),
        ),
        "web-server",
    )
    made = flow.plan(beside, through=tool)
    assert LoadTable(rules="") in steps(made)
    # What is taken back first is what was done last: files stand again before their unit starts.
    titles = [change.subject for change in made.changes]
    assert titles.index("firewall of portward") < titles.index("files of portward's firewall")
    done = later(made, beside)
    assert isinstance(done.snapshot.firewall, Firewall)
    assert not nftables.has_table(done.snapshot.firewall)
    assert not {FILE, UNIT_FILE} & done.snapshot.files.keys()
    assert flow.plan(done).changes == ()


@TOOLS
def test_a_tool_that_is_not_active_is_refused_and_nobody_is_sent_away_for_it(tool: str) -> None:
    other = {"ufw": "firewalld", "firewalld": "ufw"}[tool]
    made = flow.plan(case(machine(other), "web-server"), through=tool)
    assert f"{tool} is not active here (start it with " in refusals(made)
    assert not any(isinstance(step, Manage | SetUfw | SetFirewalld) for step in steps(made))


def test_a_choice_whose_tool_was_switched_off_is_refused_and_not_forgotten() -> None:
    files = {**KEPT, CHOICE: "firewalld\n"}
    made = flow.plan(case(machine("ufw", files=files), "web-server"))
    assert "firewalld is not active here" in refusals(made)
    made = flow.plan(case(machine("ufw", files={CHOICE: "\x1bx"}), "web-server"))
    assert "is no tool that portward works through" in refusals(made)


def test_of_two_active_tools_the_other_is_retired() -> None:
    both = machine("ufw")
    assert isinstance(both.firewall, Firewall)
    assert isinstance(both.firewall.managers, tuple)
    running = FirewallManager(
        name="firewalld", enabled=True, active=True, exclusive=True, evidence="a test"
    )
    left = [one for one in both.firewall.managers if one.name != "firewalld"]
    both = replace(both, firewall=replace(both.firewall, managers=(*left, running)))
    made = flow.plan(case(both, "web-server"), through="ufw")
    assert [step.tool for step in steps(made) if isinstance(step, Manage)] == ["firewalld"]
    assert any("ufw is in charge" in change.title for change in made.changes)


def meant(*allowances: Allowance, **facts: Any) -> Policy:
    return build.policy(build.allowance("22/tcp"), *allowances, **facts)


def many() -> Policy:
    networks = tuple(f"10.{number >> 8}.{number & 255}.0/25" for number in range(600))
    return meant(build.allowance("80/tcp", sources=build.sources(networks, "many")))


@TOOLS
@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (lambda: meant(outgoing=(build.outgoing("443/tcp"),)), "what may be sent"),
        (lambda: meant(roles=(build.role("router", forwards=True),)), "router passes on packets"),
        (lambda: meant(build.allowance("67/udp", audience=Audience.PRIVATE)), "have no address"),
        (lambda: meant(build.allowance("7/udplite")), "has no rule for 7/udplite"),
        (many, "500 at most"),
    ],
)
def test_what_would_make_the_plan_untrue_is_refused(
    tool: str, policy: Callable[[], Policy], said: str
) -> None:
    made = flow.plan(case(machine(tool), meant=policy()), through=tool)
    assert said in refusals(made)
    assert "--through portward" in refusals(made)


def test_protocols_that_only_one_of_them_knows() -> None:
    policy = meant(build.allowance("9899/sctp"))
    assert "9899/sctp" in refusals(flow.plan(case(machine("ufw"), meant=policy), through="ufw"))
    made = flow.plan(case(machine("firewalld"), meant=policy), through="firewalld")
    assert "sctp" not in refusals(made)


@TOOLS
def test_ports_that_docker_publishes_are_refused_where_the_policy_does_not_allow_them(
    tool: str,
) -> None:
    snapshot = machine(f"docker-and-{tool}")
    roles = ("web-server", "container-host")
    made = flow.plan(case(snapshot, *roles), through=tool)
    assert "8080/tcp would stay open to everyone by docker" in refusals(made)
    assert f"{tool} is not asked" in refusals(made)
    assert any("publish go past" in note for note in made.notes)


def test_a_zone_of_containers_is_left_alone_and_said_to_reach_every_port() -> None:
    snapshot = machine("docker-and-firewalld")
    made = flow.plan(case(snapshot, "web-server", "container-host"), through="firewalld")
    (step,) = (step for step in steps(made) if isinstance(step, SetFirewalld))
    assert "docker" not in {zone.name for zone in step.zones}
    (note,) = (note for note in made.notes if note.startswith("The zone docker"))
    assert "every port of this host" in note


def test_what_ufw_itself_lets_in_is_said() -> None:
    made = flow.plan(case(machine("ufw"), "web-server"), through="ufw")
    (note,) = (note for note in made.notes if "of its own" in note)
    assert "5353/udp to 224.0.0.251" in note
    assert "1900/udp to 239.255.255.250" in note
    assert "68" not in note  # answers to a client, which portward's own table lets in as well


def test_ipv6_that_ufw_does_not_filter_is_said_and_gets_no_rules() -> None:
    snapshot = machine("ufw")
    assert isinstance(snapshot.firewall, Firewall)
    without = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n"
    snapshot = replace(snapshot, firewall=replace(snapshot.firewall, ip6tables=without))
    made = flow.plan(case(snapshot, "web-server"), through="ufw")
    (step,) = (step for step in steps(made) if isinstance(step, SetUfw))
    assert not any(":" in rule.source for rule in step.rules)
    assert any("IPV6=no" in note for note in made.notes)


def test_firewalld_of_the_old_backend_is_refused() -> None:
    running = FirewallManager(
        name="firewalld", enabled=True, active=True, exclusive=True, evidence="chain INPUT_ZONES"
    )
    old = build.snapshot(firewall=build.firewall(managers=(running,)))
    made = flow.plan(build.case(snapshot=old), through="firewalld")
    assert "FirewallBackend=nftables" in refusals(made)


def test_an_image_is_refused_with_the_reason() -> None:
    snapshot = build.snapshot(firewall=Unknown("needs root"))
    made = flow.plan(build.case(snapshot=snapshot), through="ufw")
    assert "whether ufw is active is not known: needs root" in refusals(made)


@TOOLS
def test_the_screen_says_how_and_how_to_do_it(tool: str) -> None:
    made = flow.plan(case(machine(tool), "web-server"), through=tool)
    text = render("plain", made, Look(width=100))
    assert f"portward apply --through={tool} --role web-server" in text
    assert "ufw allow 80/tcp" in text or "--add-port=80/tcp" in text
    assert render("nft", made, Look()).strip() == ""
