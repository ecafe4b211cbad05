import pytest

import build
from portward.checks.odd_program_place import check
from portward.model.finding import Severity
from portward.model.status import Scope


@pytest.mark.parametrize(
    ("exe", "package", "scope", "severity"),
    [
        ("/usr/sbin/nginx", "nginx", Scope.EVERYONE, None),
        ("/snap/lxd/1/bin/lxd", None, Scope.EVERYONE, None),
        ("/opt/app/server", None, Scope.EVERYONE, Severity.LOW),
        ("/opt/app/server", None, Scope.HOST, Severity.INFO),
        ("/home/eve/server", None, Scope.EVERYONE, Severity.MEDIUM),
        ("/opt/app/server", None, Scope.NETWORKS, Severity.LOW),
        ("/home/eve/server", None, Scope.HOST, Severity.INFO),
        ("/tmp/server", None, Scope.EVERYONE, Severity.HIGH),
        ("/tmp/server", None, Scope.UNKNOWN, Severity.HIGH),
        ("/tmp/server", None, Scope.NETWORKS, Severity.MEDIUM),
        ("/tmp/server", None, Scope.HOST, Severity.MEDIUM),
        ("/tmp/server", None, Scope.NOBODY, Severity.MEDIUM),
        ("/home/eve/.vscode-server/node", None, Scope.HOST, Severity.LOW),
        ("/dev/shm/x", None, Scope.EVERYONE, Severity.HIGH),
        ("/usr/lib/.cache/x", None, Scope.EVERYONE, Severity.HIGH),
    ],
)
def test_place(exe: str, package: str | None, scope: Scope, severity: Severity | None) -> None:
    socket = build.listener("8080/tcp", exe=exe, unit=None, package=package)
    found = list(check(build.case(build.exposure(socket, scope=scope))))
    assert [one.severity for one in found] == ([severity] if severity else [])


def test_a_program_that_the_policy_names_is_known() -> None:
    allowed = build.allowance("8080/tcp", program="/opt/app/server")
    socket = build.listener("8080/tcp", exe="/opt/app/server", unit=None, package=None)
    assert list(check(build.case(build.exposure(socket, allowance=allowed)))) == []


def test_each_program_of_a_unit_is_judged_by_its_own_place() -> None:
    sockets = [
        build.listener(port, exe=exe, unit="app.service", package=None)
        for port, exe in (("80/tcp", "/opt/app/server"), ("81/tcp", "/tmp/x"))
    ]
    found = list(check(build.case(*map(build.exposure, sockets))))
    assert {(one.title.split()[4].strip(","), one.severity) for one in found} == {
        ("/opt/app/server", Severity.LOW),
        ("/tmp/x", Severity.HIGH),
    }


def test_every_program_of_a_unit_is_named() -> None:
    sockets = [
        build.listener(port, exe=exe, unit="app.service", package=None)
        for port, exe in (("80/tcp", "/opt/a"), ("81/tcp", "/opt/b"), ("82/tcp", "/opt/a"))
    ]
    found = list(check(build.case(*map(build.exposure, sockets))))
    assert [one.subject for one in found] == ["80/tcp, 82/tcp (/opt/a)", "81/tcp (/opt/b)"]
