"""The firewall's rulesets, loaded into the real kernel in a namespace of the test's own."""

import ctypes
import struct
import subprocess
from pathlib import Path

import pytest

from own_network import in_own_network, run
from portward.model.host import Firewall
from portward.model.unknown import NEEDS_ROOT, Maybe, Unknown
from portward.survey import firewall as survey
from portward.survey import nf_tables
from portward.survey.firewall_managers import managers
from portward.survey.nf_tables import Table

pytestmark = pytest.mark.root
NATIVE = """
table {table} {{
    chain input {{
        type filter hook input priority 0; policy drop;
    }}
}}
"""
CAPTURES = Path(__file__).parents[1] / "captures" / "firewall"


def after(*commands: str, text: str | None = None) -> Firewall:
    def work() -> Firewall:
        run(*commands, text=text)
        return survey.rulesets()

    return in_own_network(work)


def known(fact: Maybe[str | None]) -> str:
    assert isinstance(fact, str)
    return fact


def active(found: Firewall) -> set[str]:
    listed = managers(Path("/"), survey._chains(found))
    return {manager.name for manager in listed if manager.active is True}


def test_no_rules_and_no_program_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "_output", lambda _: pytest.fail("it started a program"))
    found = after()
    assert (found.nft, found.iptables, found.ip6tables) == (None, None, None)
    assert (found.iptables_legacy, found.ip6tables_legacy) == (None, None)


def test_native_rules_ask_nft_alone() -> None:
    found = after("nft -f -", text=NATIVE.format(table="inet mine"))
    assert '"policy": "drop"' in known(found.nft)
    assert (found.iptables, found.ip6tables) == (None, None)


def test_a_native_table_of_the_same_name_is_not_iptables() -> None:
    assert after("nft -f -", text=NATIVE.format(table="ip filter")).iptables is None


def test_tables_by_netlink() -> None:
    def work() -> list[Table]:
        run("nft add table inet one", "nft add table ip6 two", "nft add table netdev three")
        return nf_tables.tables()

    expected = {Table("inet", "one"), Table("ip6", "two"), Table("netdev", "three")}
    assert set(in_own_network(work)) == expected


def test_what_docker_and_ufw_left_through_iptables() -> None:
    found = after("iptables-nft-restore", text=(CAPTURES / "docker_ufw.iptables").read_text())
    assert "--ctstate" in known(found.iptables)  # what nft's JSON drops
    assert found.ip6tables is None
    assert found.iptables_legacy is None
    assert {"docker", "ufw"} <= active(found)


def test_what_podman_left() -> None:
    found = after("nft -f -", text=(CAPTURES / "podman.nft").read_text())
    assert "podman" in active(found)


def test_ipv6_alone() -> None:
    found = after("ip6tables-nft -A INPUT -m conntrack --ctstate NEW -j DROP")
    assert "-j DROP" in known(found.ip6tables)
    assert found.iptables is None


def test_legacy_rules_that_nft_does_not_see() -> None:
    def work() -> Firewall:
        done = subprocess.run(
            ["iptables-legacy", "-A", "INPUT", "-p", "tcp", "--dport", "23", "-j", "DROP"],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip("needs a kernel with ip_tables")
        return survey.rulesets()

    found = in_own_network(work)
    assert "--dport 23 -j DROP" in known(found.iptables_legacy)
    assert found.nft is None


def test_no_nft_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portward.survey.tools.PATH", "/nowhere")
    found = after("nft add table inet x", "nft add table inet y")
    assert found.nft == Unknown("no nft on this machine; nf_tables has 2 tables")


def test_no_nft_but_tables_of_iptables_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portward.survey.tools.PATH", "/nowhere")
    found = after("iptables-nft -A INPUT -j DROP")
    assert isinstance(found.iptables, Unknown)


def test_without_the_privilege_it_is_not_known() -> None:
    def work() -> Firewall:
        run("nft add table inet x")
        # capset(2) with _LINUX_CAPABILITY_VERSION_3 and no capability, for this thread alone.
        header, none = struct.pack("=Ii", 0x20080522, 0), bytes(24)
        assert ctypes.CDLL(None).capset(header, none) == 0
        return survey.rulesets()

    found = in_own_network(work)
    assert {found.nft, found.iptables, found.ip6tables_legacy} == {NEEDS_ROOT}


def test_sets_are_read_where_rules_of_iptables_ask_them() -> None:
    rules = "*filter\n-A INPUT -m set --match-set bad src -j DROP\nCOMMIT\n"
    sets = ("ipset create bad hash:net", "ipset add bad 10.0.0.0/8")

    asked = after(*sets, "iptables-nft-restore", text=rules)

    assert "add bad 10.0.0.0/8" in known(asked.ipsets)
    assert after(*sets).ipsets is None
