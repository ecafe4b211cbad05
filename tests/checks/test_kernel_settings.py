from typing import Any

import pytest

import build
from portward.checks.kernel_settings import check
from portward.model.finding import Finding, Severity, Undecided
from portward.model.host import Facing, Sysctl
from portward.model.unknown import Unknown

V4 = "net.ipv4.conf."


def keys(
    name: str, everywhere: str, template: str, own: str, base: str = V4, **boot: str
) -> list[Sysctl]:
    return [
        build.sysctl(f"{base}{place}.{name}", value, boot.get(place), "/etc/sysctl.d/9.conf:1")
        for place, value in (("all", everywhere), ("default", template), ("eth0", own))
    ]


def judge(settings: list[Sysctl], **facts: Any) -> list[Finding | Undecided]:
    return list(check(build.case(sysctls=tuple(settings), **facts)))


@pytest.mark.parametrize(
    ("name", "everywhere", "own", "forwards", "wrong"),
    [
        # a host accepts redirects where either says so, a router only where both do
        ("accept_redirects", "0", "1", "0", True),
        ("accept_redirects", "1", "0", "0", True),
        ("accept_redirects", "0", "0", "0", False),
        ("accept_redirects", "0", "1", "1", False),
        ("accept_redirects", "1", "1", "1", True),
        ("accept_source_route", "0", "1", "0", False),
        ("accept_source_route", "1", "0", "0", False),
        ("accept_source_route", "1", "1", "0", True),
        ("rp_filter", "0", "0", "0", True),
        ("rp_filter", "0", "1", "0", False),
        ("rp_filter", "2", "0", "0", False),
        ("send_redirects", "0", "1", "0", True),
        ("route_localnet", "0", "1", "0", True),
    ],
)
def test_what_counts_now(name: str, everywhere: str, own: str, forwards: str, wrong: bool) -> None:  # noqa: FBT001 - a column of the table
    good = (
        {"all": "1", "default": "1", "eth0": "1"}
        if name == "rp_filter"
        else {"all": "0", "default": "0", "eth0": "0"}
    )
    settings = keys(name, everywhere, own, own, **good)
    settings += keys("forwarding", forwards, forwards, forwards, **dict.fromkeys(good, forwards))
    assert bool(judge(settings)) is wrong


def test_right_now_but_gone_after_a_boot_is_a_lesser_finding() -> None:
    now = judge(keys("accept_redirects", "1", "1", "1"))
    later = judge(keys("accept_redirects", "0", "0", "0"))
    assert [one.severity for one in now if isinstance(one, Finding)] == [Severity.MEDIUM]
    assert [one.severity for one in later if isinstance(one, Finding)] == [Severity.LOW]
    assert "after the next boot" in str(later[0])


def test_right_by_the_kernels_own_default_needs_no_file() -> None:
    assert judge([build.sysctl("net.ipv4.tcp_syncookies", "1")]) == []


def test_the_remedy_sets_all_new_and_wrong_interfaces() -> None:
    (finding,) = judge(keys("accept_redirects", "1", "1", "1"))
    assert isinstance(finding, Finding)
    for place in ("all", "default", "eth0"):
        assert f"'{V4}{place}.accept_redirects = 0'" in finding.remedy.commands[0]
    assert finding.remedy.commands[1] == "sysctl --system"


@pytest.mark.parametrize(
    "facts",
    [
        {"policy": build.policy(roles=(build.role("router", forwards=True),))},
        {"interfaces": (build.interface("docker0", kind="bridge", facing=Facing.BRIDGE),)},
    ],
)
def test_forwarding_stays_where_it_is_needed(facts: dict[str, Any]) -> None:
    assert judge([build.sysctl("net.ipv4.ip_forward", "1", "1")], **facts) == []


def test_forwarding_without_a_reason_is_a_finding() -> None:
    (finding,) = judge([build.sysctl("net.ipv4.ip_forward", "1", "1")])
    assert isinstance(finding, Finding)
    assert finding.subject == "forwarding"


@pytest.mark.parametrize(("autoconf", "found"), [(True, 0), (False, 1)])
def test_router_advertisements_stay_on_automatic_hosts(autoconf: bool, found: int) -> None:  # noqa: FBT001 - a column of the table
    policy = build.policy(roles=(build.role(autoconf=autoconf),))
    settings = keys("accept_ra", "1", "1", "1", base="net.ipv6.conf.")
    assert len(judge(settings, policy=policy)) == found


def test_a_container_does_not_own_them() -> None:
    inside = build.machine(inside="container")
    assert judge(keys("accept_redirects", "1", "1", "1"), machine=inside) == []


def test_timestamps_are_never_judged() -> None:
    assert judge([build.sysctl("net.ipv4.tcp_timestamps", "1")]) == []
    assert judge([build.sysctl("net.ipv4.tcp_timestamps", "0")]) == []


def test_unknown_settings_are_said() -> None:
    (told,) = check(build.case(sysctls=Unknown("not readable")))
    assert isinstance(told, Undecided)
