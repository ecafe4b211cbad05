"""Rules of ufw in the forms that ufw itself gives them (0.36.2, as a guest's ufw printed them)."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import build
from portward.backends import ufw
from portward.backends.allowed import Groups, openings
from portward.backends.sides import sides
from portward.model.host import Facing, Firewall, Snapshot
from portward.model.plan import UfwRule
from portward.model.policy import Allowance, Sources
from portward.model.service import Audience
from portward.reach.exposure import Exposer
from reach.captures import Capture

MACHINES = Path(__file__).parents[1] / "captures/machines"
FORMS = (
    (
        UfwRule(verb="allow", protocol="tcp", source="10.0.0.0/8", ports="22", comment="a: b"),
        "allow from 10.0.0.0/8 to any port 22 proto tcp comment",
        "-A ufw-user-input -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT",
        "allow tcp 22 0.0.0.0/0 any 10.0.0.0/8 in comment=613a2062",
    ),
    (
        UfwRule(verb="allow", protocol="udp", source="2001:db8::1", ports="53"),
        "allow from 2001:db8::1 to any port 53 proto udp",
        "-A ufw6-user-input -s 2001:db8::1/128 -p udp -m udp --dport 53 -j ACCEPT",
        "allow udp 53 ::/0 any 2001:db8::1 in",
    ),
    (
        UfwRule(verb="allow", protocol="tcp", source="fe80::/10", ports="9000:9100"),
        "allow from fe80::/10 to any port 9000:9100 proto tcp",
        "-A ufw6-user-input -s fe80::/10 -p tcp -m multiport --dports 9000:9100 -j ACCEPT",
        "allow tcp 9000:9100 ::/0 any fe80::/10 in",
    ),
    (
        UfwRule(verb="allow", protocol="tcp", ports="443"),
        "allow 443/tcp",
        "-A ufw-user-input -p tcp -m tcp --dport 443 -j ACCEPT",
        "allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 in",
    ),
    (
        UfwRule(verb="deny", came_by="eth0", protocol="udp", ports="137:139"),
        "deny in on eth0 to any port 137:139 proto udp",
        "-A ufw-user-input -i eth0 -p udp -m multiport --dports 137:139 -j DROP",
        "deny udp 137:139 0.0.0.0/0 any 0.0.0.0/0 in_eth0",
    ),
    (
        UfwRule(verb="allow", forward=True, came_by="docker0"),
        "route allow in on docker0",
        "-A ufw-user-forward -i docker0 -j ACCEPT",
        "route:allow any any 0.0.0.0/0 any 0.0.0.0/0 in_docker0",
    ),
    (
        UfwRule(verb="allow", forward=True, came_by="br0", leaves_by="br0"),
        "route allow in on br0 out on br0",
        "-A ufw-user-forward -i br0 -o br0 -j ACCEPT",
        "route:allow any any 0.0.0.0/0 any 0.0.0.0/0 in_br0!out_br0",
    ),
    (
        UfwRule(verb="allow", protocol="gre", source="10.0.0.0/8"),
        "allow from 10.0.0.0/8 proto gre",
        "-A ufw-user-input -s 10.0.0.0/8 -p gre -j ACCEPT",
        "allow gre any 0.0.0.0/0 any 10.0.0.0/8 in",
    ),
    (
        UfwRule(verb="allow", protocol="esp"),
        "allow to any proto esp",
        "-A ufw-user-input -p esp -j ACCEPT",
        "allow esp any 0.0.0.0/0 any 0.0.0.0/0 in",
    ),
)


@pytest.mark.parametrize(("rule", "words", "saved", "kept"), FORMS, ids=lambda one: str(one)[:40])
def test_a_rule_stands_as_ufw_writes_it(rule: UfwRule, words: str, saved: str, kept: str) -> None:
    family = 6 if "ufw6" in saved else 4
    assert " ".join(ufw.words(replace(rule, comment=""))) == words.removesuffix(" comment")
    assert ufw.saved(rule, family) == saved
    files = {ufw.FILES[family]: f"### tuple ### {kept}\n"}
    assert ufw.are_kept(files, [rule])
    assert not ufw.are_kept(files, [replace(rule, verb="reject")])


def machine(name: str = "ufw") -> Snapshot:
    found = msgspec.json.decode((MACHINES / f"{name}.json").read_bytes(), type=Capture)
    return found.snapshot


def firewall(snapshot: Snapshot) -> Firewall:
    assert isinstance(snapshot.firewall, Firewall)
    return snapshot.firewall


def rules(
    *allowances: Allowance, snapshot: Snapshot | None = None, **facts: Any
) -> tuple[str, ...]:
    return tuple(" ".join(ufw.words(one)) for one in made(*allowances, snapshot=snapshot, **facts))


def made(
    *allowances: Allowance,
    snapshot: Snapshot | None = None,
    ipv6: bool = True,
    inner: tuple[str, ...] = (),
) -> tuple[UfwRule, ...]:
    meant = build.policy(*allowances)
    around = sides(meant, snapshot or build.snapshot(interfaces=()))
    return ufw.rules(openings(allowances, build.DAY, Groups()), around, inner, ipv6=ipv6)


OFFICE = Sources(audience=Audience.PRIVATE, networks=("10.1.0.0/16", "2001:db8::7"), label="office")


def test_each_network_is_a_rule_and_anyone_is_one_for_both_families() -> None:
    assert rules(build.allowance("80/tcp"), build.allowance("22/tcp", sources=OFFICE)) == (
        "allow from 10.1.0.0/16 to any port 22 proto tcp comment portward: role web-server",
        "allow from 2001:db8::7 to any port 22 proto tcp comment portward: role web-server",
        "allow 80/tcp comment portward: role web-server",
    )


def test_a_machine_on_which_ufw_leaves_ipv6_alone_gets_no_rules_for_it() -> None:
    found = made(build.allowance("22/tcp", sources=OFFICE), ipv6=False)
    assert [one.source for one in found] == ["10.1.0.0/16"]


def test_smb_is_denied_by_what_faces_the_internet_before_anything_is_allowed() -> None:
    found = made(build.allowance("445/tcp"), snapshot=build.snapshot())
    assert [(one.verb, one.came_by, one.ports) for one in found] == [
        ("deny", "eth0", "445"),
        ("allow", "", "445"),
    ]
    assert ufw.typed(found[0])[0] == "prepend"


def test_containers_have_their_names_and_are_passed_on() -> None:
    inside = build.interface("docker0", kind="bridge", facing=Facing.BRIDGE, default_route=False)
    found = made(snapshot=build.snapshot(interfaces=(inside,)), inner=("docker0",))
    assert [" ".join(ufw.words(replace(one, comment=""))) for one in found] == [
        "allow in on docker0 to any port 53,67,547 proto udp",
        "allow in on docker0 to any port 53 proto tcp",
        "route allow in on docker0",
    ]


def test_a_quote_of_a_policy_does_not_end_a_comment() -> None:
    (found,) = made(build.allowance("80/tcp", origin='it\'s "here".toml:3'))
    assert found.comment == "portward: it?s ?here?.toml:3"


def test_what_the_kernel_will_have_is_what_is_asked_for_and_reach_reads_it() -> None:
    wanted = made(build.allowance("80/tcp"), build.allowance("5432/tcp", sources=OFFICE))
    before = machine()
    assert not any(
        ufw.are_loaded(ufw.filters(firewall(before), family), wanted, family) for family in (4, 6)
    )
    later = replace(before, firewall=ufw.with_rules(firewall(before), wanted))
    for family in (4, 6):
        assert ufw.are_loaded(ufw.filters(firewall(later), family), wanted, family)
    exposer = Exposer(later)

    def who(port: str, address: str = "0.0.0.0") -> object:
        reach = exposer.reach(build.listener(port, address, inodes=()))
        return tuple(network.partition(" ")[0] for network in reach.networks) or str(reach.scope)

    assert who("80/tcp") == "everyone"
    assert who("5432/tcp") == ("10.1.0.0/16",)
    assert who("5432/tcp", "::") == ("2001:db8::7/128",)
    assert who("443/tcp") == who("161/udp") == who("8000/tcp") == "nobody"


def test_a_default_of_allow_is_no_default_that_denies() -> None:
    text = ufw.filters(firewall(machine()), 4)
    opened = text.replace(":INPUT DROP", ":INPUT ACCEPT").replace(
        "-A ufw-skip-to-policy-input -j DROP", "-A ufw-skip-to-policy-input -j ACCEPT"
    )
    other = replace(firewall(machine()), iptables=opened)
    wanted = made(build.allowance("80/tcp"))
    mended = ufw.filters(ufw.with_rules(other, wanted), 4)
    assert ufw.are_loaded(mended, wanted, 4)
    assert not ufw.are_loaded(mended.replace(":INPUT DROP", ":INPUT ACCEPT"), wanted, 4)
    assert "-A ufw-skip-to-policy-input -j DROP" in mended
    nat = f"*nat\n:INPUT ACCEPT\nCOMMIT\n{mended}"
    assert ufw.are_loaded(nat, wanted, 4)  # only the table that filters counts


def test_the_files_keep_what_is_sent_and_lose_all_else() -> None:
    sent = "### tuple ### allow any 53 0.0.0.0/0 any 0.0.0.0/0 out\n"
    files = {
        ufw.FILES[4]: f"*filter\n{sent}### tuple ### limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n",
        ufw.FILES[6]: "",
        ufw.DEFAULTS: 'IPV6=yes\nDEFAULT_INPUT_POLICY="ACCEPT"\nDEFAULT_OUTPUT_POLICY="ACCEPT"\n',
    }
    wanted = made(build.allowance("80/tcp"))
    assert not ufw.are_kept(files, wanted)
    later = ufw.with_kept(files, wanted)
    assert ufw.are_kept(later, wanted)
    assert sent in later[ufw.FILES[4]]
    assert 'DEFAULT_OUTPUT_POLICY="ACCEPT"' in later[ufw.DEFAULTS]
    assert not ufw.are_kept({**later, ufw.DEFAULTS: files[ufw.DEFAULTS]}, wanted)
    assert not ufw.are_kept({}, wanted)


def test_denials_have_to_come_first() -> None:
    wanted = made(build.allowance("445/tcp"), snapshot=build.snapshot())
    text = ufw.filters(ufw.with_rules(firewall(machine()), wanted), 4)
    lines = text.splitlines()
    deny = next(line for line in lines if line.endswith("--dport 445 -j DROP"))
    lines.remove(deny)
    lines.insert(lines.index("COMMIT"), deny)
    assert not ufw.are_loaded("\n".join(lines), wanted, 4)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 65535),
            st.integers(0, 300),
            st.sampled_from(("tcp", "udp")),
            st.sampled_from((None, OFFICE)),
        ),
        max_size=6,
    )
)
def test_whatever_is_meant_is_loaded_once_it_is_told(
    meant: list[tuple[int, int, str, Sources | None]],
) -> None:
    allowances = [
        build.allowance(
            f"{first}-{min(first + more, 65535)}/{protocol}",
            **({"sources": whom} if whom else {}),
        )
        for first, more, protocol, whom in meant
    ]
    wanted = made(*allowances)
    later = ufw.with_rules(firewall(machine()), wanted)
    for family in (4, 6):
        assert ufw.are_loaded(ufw.filters(later, family), wanted, family)
    listed = json.dumps(json.loads(str(later.nft)))
    assert listed.count("ufw-user-input") >= len([one for one in wanted if ":" not in one.source])
