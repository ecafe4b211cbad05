"""Roles, profile and exceptions become allowances."""

from datetime import date

import pytest

import build
from portward.model.errors import PolicyError
from portward.model.policy import Allowance, Policy, Profile
from portward.model.service import Audience, Need
from portward.policy.resolve import MEANING, Intent, resolve

KNOWN = build.catalogue(
    build.service("dhcp-client", "68/udp", essential=True),
    build.service("https", "443/tcp"),
    build.service("ssh", "22/tcp"),
    build.service("postgresql", "5432/tcp"),
    roles={
        "web": build.role(
            "web",
            needs=(
                Need(service="https", audience=Audience.ANYONE, reason="pages"),
                Need(service="ssh", audience=Audience.PRIVATE, optional=True, reason="admin"),
                Need(service="postgresql", audience=Audience.HOST, optional=True, reason="data"),
            ),
        ),
        "sniffer": build.role("sniffer", captures=True),
    },
)
ADMIN = {"admin": ("203.0.113.0/24",), "office": ("10.1.0.0/16", "203.0.113.0/24")}


def work_out(profile: Profile = Profile.SERVER, *allow: Allowance, **facts: object) -> Policy:
    return resolve(Intent(roles=("web",), profile=profile, allow=allow, **facts), KNOWN)  # type: ignore[arg-type] # facts are named by each test


def reached(policy: Policy) -> dict[str | None, str]:
    return {one.service: one.sources.label for one in policy.allowances}


@pytest.mark.parametrize(
    ("profile", "https", "ssh"),
    [
        (Profile.SERVER, "any", "private"),
        (Profile.HOME, "private", "private"),
        (Profile.WORK, "host", "host"),
        (Profile.PUBLIC, "host", "host"),
        (Profile.ISOLATED, "host", "host"),
    ],
)
def test_what_each_profile_makes_of_a_role(profile: Profile, https: str, ssh: str) -> None:
    assert reached(work_out(profile)) == {
        "https": https, "ssh": ssh, "postgresql": "host", "dhcp-client": "private",
    }  # fmt: skip


def test_work_means_the_networks_it_names() -> None:
    https = work_out(Profile.WORK, networks=ADMIN).allowances[0]
    assert https.sources.label == "admin, office"
    assert https.sources.networks == ("203.0.113.0/24", "10.1.0.0/16")
    assert https.sources.audience == Audience.PRIVATE
    only = work_out(Profile.WORK, networks=ADMIN | {"private": ("10.0.0.0/8",)}).allowances[0]
    assert (only.sources.label, only.sources.networks) == ("private", ("10.0.0.0/8",))


def test_work_without_networks_says_what_that_means() -> None:
    assert "[networks] names none" in work_out(Profile.WORK).notes[0]
    assert work_out(Profile.WORK, networks=ADMIN).notes == ()


OWN = build.allowance("22/tcp", service="ssh", origin="p.toml:3")


def test_one_s_own_word_takes_the_place_of_the_role_s() -> None:
    policy = work_out(Profile.SERVER, OWN)
    assert [one.origin for one in policy.allowances if one.service == "ssh"] == ["p.toml:3"]


@pytest.mark.parametrize("facts", [{"until": date(2026, 12, 31)}, {"program": "/usr/sbin/sshd"}])
def test_a_word_for_a_while_or_for_one_program_stands_before_the_role_s(
    facts: dict[str, object],
) -> None:
    own = build.allowance("22/tcp", service="ssh", origin="p.toml:3", **facts)
    policy = work_out(Profile.SERVER, own)
    origins = [one.origin for one in policy.allowances if one.service == "ssh"]
    assert origins == ["p.toml:3", "role web"]


@pytest.mark.parametrize("profile", [Profile.HOME, Profile.PUBLIC])
def test_a_profile_leaves_one_s_own_word(profile: Profile) -> None:
    assert work_out(profile, OWN).allowances[0] is OWN


def test_isolated_holds_even_against_one_s_own_word() -> None:
    policy = work_out(Profile.ISOLATED, OWN)
    assert OWN not in policy.allowances
    assert "not in force" in policy.notes[0]


def test_what_is_needed_and_what_may_be() -> None:
    required = {one.service: one.required for one in work_out().allowances}
    assert required == {"https": True, "ssh": False, "postgresql": False, "dhcp-client": True}


def test_a_role_that_captures_allows_every_raw_and_packet_socket() -> None:
    policy = resolve(Intent(roles=("sniffer",)), KNOWN)
    assert [str(one) for one in policy.allowances[0].ports] == ["0-255/raw", "0-65535/packet"]


def test_an_unknown_role_is_refused_with_the_nearest() -> None:
    with pytest.raises(PolicyError, match=r'no role "snifer" \(did you mean "sniffer"\?\)'):
        resolve(Intent(roles=("snifer",)), KNOWN)


def test_every_profile_has_a_meaning() -> None:
    assert MEANING.keys() == set(Profile)
