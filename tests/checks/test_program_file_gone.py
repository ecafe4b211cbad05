from typing import Any

import pytest

import build
from portward.checks.program_file_gone import check
from portward.model.finding import Severity
from portward.model.host import ExeState


@pytest.mark.parametrize(
    ("exe", "state", "package", "severity"),
    [
        ("/usr/sbin/nginx", ExeState.PRESENT, "nginx", None),
        ("/usr/sbin/nginx", ExeState.REPLACED, "nginx", Severity.LOW),
        ("/usr/sbin/nginx", ExeState.DELETED, "nginx", Severity.LOW),
        ("/opt/app", ExeState.REPLACED, None, Severity.MEDIUM),
        ("/opt/app", ExeState.DELETED, None, Severity.MEDIUM),
        ("/tmp/x", ExeState.DELETED, None, Severity.CRITICAL),
        ("/memfd:x", ExeState.MEMORY, None, Severity.CRITICAL),
    ],
)
def test_program(exe: str, state: ExeState, package: str | None, severity: Severity | None) -> None:
    socket = build.listener(
        "80/tcp", process=build.process(exe, exe_state=state), unit="x.service", package=package
    )
    found = list(check(build.case(build.exposure(socket))))
    assert [one.severity for one in found] == ([severity] if severity else [])


def test_evidence_is_saved_before_the_process_is_stopped() -> None:
    process = build.process("/tmp/x", exe_state=ExeState.DELETED, pid=42)
    socket = build.listener("80/tcp", process=process, unit=None, package=None)
    (finding,) = check(build.case(build.exposure(socket)))
    assert finding.remedy.commands[0].startswith("cp /proc/42/exe ")


@pytest.mark.parametrize(("container", "found"), [(None, 1), ("shop", 0)])
def test_files_inside_containers_are_not_compared(container: Any, found: int) -> None:
    process = build.process("/app/server", exe_state=ExeState.REPLACED)
    socket = build.listener("80/tcp", process=process, package=None, container=container)
    assert len(list(check(build.case(build.exposure(socket))))) == found


def test_ssh_is_tested_before_it_restarts() -> None:
    process = build.process("/usr/sbin/sshd", exe_state=ExeState.REPLACED)
    exposure = build.exposure(build.listener(process=process), build.service("ssh", "22/tcp"))
    (finding,) = check(build.case(exposure))
    assert finding.remedy.commands == ("sshd -t", "systemctl restart ssh.service")


def test_every_program_of_a_unit_is_judged() -> None:
    states = {"/opt/a": ExeState.DELETED, "/opt/b": ExeState.MEMORY}
    sockets = [
        build.listener(
            f"8{number}/tcp",
            process=build.process(exe, exe_state=state),
            unit="app.service",
            package=None,
        )
        for number, (exe, state) in enumerate(states.items())
    ]
    found = list(check(build.case(*map(build.exposure, sockets))))
    assert [one.severity for one in found] == [Severity.MEDIUM, Severity.CRITICAL]
    assert all(exe in one.title for exe, one in zip(states, found, strict=True))
