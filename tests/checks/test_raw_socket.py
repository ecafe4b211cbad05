from typing import Any

import pytest

import build
from portward.checks.raw_socket import check
from portward.model.finding import Severity
from portward.model.host import Kernel, Listener
from portward.model.policy import Policy

MONITOR = build.policy(roles=(build.role("monitoring", captures=True),))


def packet(exe: str, package: str | None, **facts: Any) -> Listener:
    return build.listener("3/packet", "", exe=exe, unit=None, package=package, **facts)


@pytest.mark.parametrize(
    ("socket", "policy", "severity"),
    [
        (packet("/usr/sbin/dhclient", "isc-dhcp-client"), build.policy(), None),
        (packet("/tmp/dhclient", None), build.policy(), Severity.HIGH),
        (packet("/dev/shm/kdmtmpflush", None, filtered=True), build.policy(), Severity.CRITICAL),
        (packet("/usr/bin/probe", "probe"), build.policy(), Severity.MEDIUM),
        (packet("/usr/bin/probe", "probe"), MONITOR, None),
        (packet("/opt/probe", None), MONITOR, Severity.HIGH),
        (packet("/x", None, process=Kernel(name="bridge")), build.policy(), None),
        (packet("/x", None, container="shop"), build.policy(), None),
        (build.listener("22/tcp", exe="/opt/x", package=None), build.policy(), None),
    ],
)
def test_raw_socket(socket: Listener, policy: Policy, severity: Severity | None) -> None:
    found = list(check(build.case(build.exposure(socket), policy=policy)))
    assert [one.severity for one in found] == ([severity] if severity else [])
