"""The policy file that portward writes can be read, and means what was asked for."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import build
from portward.knowledge import catalogue
from portward.model.errors import PolicyError
from portward.model.host import Snapshot
from portward.model.policy import Profile
from portward.policy.file import parse
from portward.policy.write import render

KNOWN = catalogue.load(Path("/nonexistent"))
PREFIXES = st.one_of(
    st.ip_addresses().map(str),
    st.sampled_from(["10.0.0.0/8", "203.0.113.0/24", "2001:db8::/48", "0.0.0.0/0"]),
)
MOVED = build.snapshot(build.listener("2222/tcp"), build.listener("22/tcp", "127.0.0.1"))


@given(
    st.lists(st.sampled_from(sorted(KNOWN.roles)), min_size=1, max_size=4),
    st.sampled_from(Profile),
    st.lists(PREFIXES, max_size=3),
    st.sampled_from([None, build.snapshot(), MOVED]),
)
def test_it_can_be_read_whatever_was_asked_for(
    roles: list[str], profile: Profile, admin: list[str], snapshot: Snapshot | None
) -> None:
    text = render(roles, KNOWN, profile=profile, admin=admin, snapshot=snapshot)
    policy = parse(text, "p.toml", KNOWN)
    assert [role.name for role in policy.roles] == list(dict.fromkeys(roles))
    assert policy.profile == profile
    own = [one for one in policy.allowances if one.origin.startswith("p.toml")]
    if profile == Profile.ISOLATED:
        assert not own
    elif admin:
        assert [one.service for one in own] == ["ssh"]
        assert own[0].sources.networks == policy.networks["admin"]


def ssh(text: str) -> list[tuple[list[str], str, str]]:
    return [
        ([str(port) for port in one.ports], one.sources.label, one.origin.partition(":")[0])
        for one in parse(text, "p.toml", KNOWN).allowances
        if one.service == "ssh"
    ]


def test_without_a_word_on_ssh_the_role_decides() -> None:
    text = render(["web-server"], KNOWN)
    assert ssh(text) == [(["22/tcp"], "private", "role web-server")]
    assert '# [[allow]]\n# service = "ssh"\n# from = "admin"\n' in text


def test_the_networks_of_the_administrators_take_its_place() -> None:
    text = render(["web-server"], KNOWN, admin=["203.0.113.0/24"])
    assert ssh(text) == [(["22/tcp"], "admin", "p.toml")]


def test_ssh_on_another_port_is_not_locked_out() -> None:
    assert ssh(render(["web-server"], KNOWN, snapshot=MOVED)) == [
        (["2222/tcp"], "private", "p.toml")
    ]
    assert ssh(render(["web-server"], KNOWN, admin=["10.0.0.0/8"], snapshot=MOVED)) == [
        (["2222/tcp"], "admin", "p.toml")
    ]


def test_ssh_where_no_role_needs_it_stays_a_proposal() -> None:
    text = render(["isolated"], KNOWN, snapshot=MOVED)
    assert ssh(text) == []
    assert '# port = "2222/tcp"' in text


def test_every_need_is_listed_with_its_audience() -> None:
    lines = render(["web-server", "dns-resolver"], KNOWN).splitlines()
    for name in ("web-server", "dns-resolver"):
        for need in KNOWN.roles[name].needs:
            assert any(
                line.startswith(f"#   {need.service} (") and line.endswith(need.reason)
                for line in lines
            )


@pytest.mark.parametrize(
    ("roles", "admin"), [(["web-sever"], []), ([], []), (["web-server"], ["203.0.113.7/24"])]
)
def test_what_cannot_be_is_refused(roles: list[str], admin: list[str]) -> None:
    with pytest.raises(PolicyError):
        render(roles, KNOWN, admin=admin)
