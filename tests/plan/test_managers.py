from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from build import case, firewall, unit
from portward.model.host import HOST, Firewall, FirewallManager, Snapshot
from portward.model.net import Protocol, is_loopback
from portward.model.plan import Enabling, Manage, SetUnits, UnitState
from portward.model.status import Scope
from portward.model.unknown import Unknown
from portward.plan.managers import managers, without
from portward.reach.exposure import Exposer
from reach.captures import Capture

MACHINES = Path(__file__).parents[1] / "captures/machines"


def machine(name: str) -> Snapshot:
    return msgspec.json.decode((MACHINES / f"{name}.json").read_bytes(), type=Capture).snapshot


def retired(snapshot: Snapshot, tool: str) -> Snapshot:
    assert isinstance(snapshot.firewall, Firewall)
    return replace(snapshot, firewall=without(snapshot.firewall, [tool]))


def scopes(snapshot: Snapshot) -> dict[str, Scope]:
    assert not isinstance(snapshot.listeners, Unknown)
    exposer = Exposer(snapshot)
    return {
        f"{one.port}/{one.protocol} {one.address}": exposer.reach(one).scope
        for one in snapshot.listeners
        if one.namespace == HOST
        and not is_loopback(one.address)
        and one.protocol in {Protocol.TCP, Protocol.UDP}
        and one.container is None
    }


@pytest.mark.parametrize("tool", ["ufw", "firewalld"])
def test_a_retired_tool_leaves_a_machine_on_which_no_rule_of_it_decides(tool: str) -> None:
    snapshot = machine(tool)
    assert set(scopes(snapshot).values()) != {Scope.EVERYONE}
    assert set(scopes(retired(snapshot, tool)).values()) == {Scope.EVERYONE}


@pytest.mark.parametrize("tool", ["ufw", "firewalld"])
def test_retiring_leaves_the_rules_of_docker(tool: str) -> None:
    snapshot = retired(machine(f"docker-and-{tool}"), tool)
    assert isinstance(snapshot.firewall, Firewall)
    assert "DOCKER" in str(snapshot.firewall.nft)
    assert "DOCKER" in str(snapshot.firewall.iptables)
    published = Exposer(snapshot).passed_on()
    before = Exposer(machine(f"docker-and-{tool}")).passed_on()
    assert [one.port for one in published] == [one.port for one in before]


def manager(name: str, **facts: bool) -> FirewallManager:
    given = {"enabled": True, "active": True, "exclusive": True}
    return FirewallManager(name=name, evidence="a test", **given | facts)


def test_ufw_is_told_and_its_files_are_kept() -> None:
    made = case(firewall=firewall(managers=(manager("ufw"),)), units=(unit(),))
    part = managers(made, "portward")
    (change,) = part.changes
    told, service = change.steps
    assert isinstance(told, Manage)
    assert told.commands == (("ufw", "disable"),)
    assert "/etc/ufw" in told.keeps
    assert service == SetUnits(units=(UnitState(unit="ufw.service", enabling=Enabling.DISABLED),))


def test_a_tool_that_only_adds_rules_of_its_own_is_left_alone() -> None:
    made = case(firewall=firewall(managers=(manager("docker", exclusive=False),)), units=(unit(),))
    assert managers(made, "portward") == ((), ())


def test_rules_of_a_manager_that_cannot_be_retired_are_named() -> None:
    made = case(firewall=firewall(managers=(manager("nftables"),)), units=(unit(),))
    part = managers(made, "portward")
    assert not part.changes
    assert "nftables stay" in part.notes[0]


def test_the_one_in_charge_is_not_retired() -> None:
    both = (manager("ufw"), manager("firewalld"))
    part = managers(case(firewall=firewall(managers=both), units=(unit(),)), "firewalld")
    assert [change.title for change in part.changes] == [
        "Retire ufw: firewalld is in charge of what comes in"
    ]
