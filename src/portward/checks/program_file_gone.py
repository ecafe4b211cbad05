"""Program behind an open port whose file is gone, replaced, or never was one.

Why it matters
    A program that deletes its own file, or that lives in memory only, leaves nothing to examine:
    that is how intruders hide. The harmless case is an upgrade without a restart, and then the
    old program with its old faults still answers on the port.

How it is found
    The file that the holder of an open port runs is compared with the file that now has its path,
    by device and inode. A memfd has no path at all.

Remedy
    After an upgrade, restart the unit. Otherwise save the program from /proc/PID/exe first, since
    it is the only copy, and examine the machine.

False positives
    A removed package whose program still runs; some container tools start themselves from memory.
"""

from collections.abc import Iterator

from portward.advice.groups import Group, grouped_by_program
from portward.advice.places import is_writable_by_others
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.host import ExeState, Listener, Process

ID = "program-file-gone"

_GONE = (ExeState.MEMORY, ExeState.DELETED, ExeState.REPLACED)


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each owner of open ports that runs what is no longer on disk."""
    for group in grouped_by_program(one for one in case.exposures if _state(one.listener) in _GONE):
        yield _finding(group)


def _state(listener: Listener) -> object:
    """Return what became of the program; files inside containers are not comparable."""
    process = listener.process
    if not isinstance(process, Process):
        return None
    if isinstance(listener.container, str) and process.exe_state != ExeState.MEMORY:
        return None
    return process.exe_state


def _finding(group: Group) -> Finding:
    process = group.first.process
    pid = process.pid if isinstance(process, Process) else 0
    exe = process.exe if isinstance(process, Process) and isinstance(process.exe, str) else "?"
    severity, confidence, what, remedy = _judge(group, exe, pid)
    return Finding(
        check=ID,
        subject=group.subject if group.owner == exe else f"{group.subject} {exe}",
        severity=severity,
        confidence=confidence,
        title=f"{group.owner}, which holds {', '.join(group.ports)}, {what}",
        why="What answers on the port is not what stands on the disk, so it cannot be examined"
        " or updated like other programs.",
        evidence=(
            *group.evidence,
            Evidence(f"the file is {_state(group.first)}", f"/proc/{pid}/exe"),
        ),
        remedy=remedy,
        listener=group.first,
    )


def _judge(group: Group, exe: str, pid: int) -> tuple[Severity, Confidence, str, Remedy]:
    state = _state(group.first)
    keep = Remedy(
        summary="Save the program before anything else, it is the only copy; then examine what"
        " started it, and stop it.",
        commands=(f"cp /proc/{pid}/exe /root/portward-evidence-{pid}",),
        caution="Stopping the process destroys the evidence.",
    )
    if state == ExeState.MEMORY:
        return Severity.CRITICAL, Confidence.LIKELY, "runs from memory, without a file", keep
    if state == ExeState.DELETED and is_writable_by_others(exe):
        return Severity.CRITICAL, Confidence.LIKELY, "has deleted its own program file", keep
    if isinstance(group.first.package, str):
        text = "still runs a program that an upgrade has replaced"
        return Severity.LOW, Confidence.CERTAIN, text, _restart(group)
    if state == ExeState.DELETED:
        return Severity.MEDIUM, Confidence.LIKELY, "runs a program whose file was removed", keep
    return Severity.MEDIUM, Confidence.POSSIBLE, "runs another file than the one at its path", keep


def _restart(group: Group) -> Remedy:
    unit = group.first.activates or group.first.unit
    if not isinstance(unit, str) or unit.endswith(".scope"):
        return Remedy(summary=f"Start {group.owner} again.")
    if group.service and group.service.name == "ssh":
        return Remedy(
            summary="Test the configuration, then restart SSH; sessions stay open.",
            commands=("sshd -t", f"systemctl restart {unit}"),
            caution="Restart only if the test says nothing, or nobody can log in any more.",
        )
    return Remedy(summary=f"Restart {unit}.", commands=(f"systemctl restart {unit}",))
