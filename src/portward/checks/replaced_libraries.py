"""Service that still runs libraries an update has replaced.

Why it matters
    The update is on the disk, but the program in memory still has the fault. Nothing shows it:
    the package manager says that all is up to date.

How it is found
    Files that running processes have mapped and that are gone from the disk. A service with a
    port that others may reach is judged worse.

Remedy
    Restart the service; where many are named, restart the machine.

False positives
    Libraries that were replaced by the same version again.
"""

from collections.abc import Iterator

from portward.advice.matters import is_exposed
from portward.advice.undecided import unless_known
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity, Undecided
from portward.model.host import Process, StaleProcess
from portward.model.unknown import Unknown

ID = "replaced-libraries"

_SSH_UNITS = frozenset({"ssh.service", "sshd.service"})
_NO_RESTART = ("session-", "user@", "init.scope", "dbus.service", "dbus-broker.service")
"""Units whose restart ends sessions: a new login or a reboot is the way."""


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding for each unit, or program without one, that runs replaced files."""
    updates = case.snapshot.updates
    if isinstance(updates, Unknown) or updates.manager is None:
        return
    yield from unless_known(ID, "running libraries", updates.stale, case.snapshot)
    stale = () if isinstance(updates.stale, Unknown) else updates.stale
    groups: dict[str, list[StaleProcess]] = {}
    for process in stale:
        groups.setdefault(process.unit or process.name, []).append(process)
    exposed = _exposed(case)
    for name, processes in groups.items():
        reached = name in exposed or any(one.pid in exposed for one in processes)
        yield _finding(name, processes, reached=reached)


def _exposed(case: Case) -> set[str | int]:
    """Name units and processes that hold a port others may reach."""
    found: set[str | int] = set()
    for one in filter(is_exposed, case.exposures):
        names = (one.listener.unit, one.listener.activates)
        found |= {name for name in names if isinstance(name, str)}
        if isinstance(one.listener.process, Process):
            found |= {one.listener.process.pid, *one.listener.process.sharers}
    return found


def _finding(name: str, processes: list[StaleProcess], *, reached: bool) -> Finding:
    return Finding(
        check=ID,
        subject=name,
        severity=Severity.MEDIUM if reached else Severity.LOW,
        confidence=Confidence.LIKELY,
        title=f"{name} still runs libraries that an update has replaced"
        + (", with an open port" if reached else ""),
        why="What the update mended is still broken in the running program.",
        evidence=tuple(
            Evidence(
                f"{one.name} (pid {one.pid}): {', '.join(one.libraries[:4])}",
                f"/proc/{one.pid}/maps",
            )
            for one in processes[:8]
        ),
        remedy=_remedy(name),
    )


def _remedy(name: str) -> Remedy:
    if name in _SSH_UNITS:
        return Remedy(
            summary="Test the configuration, then restart SSH; sessions stay open.",
            commands=("sshd -t", f"systemctl restart {name}"),
            caution="Restart only if the test says nothing, or nobody can log in any more.",
        )
    if not name.endswith(".service") or name.startswith(_NO_RESTART):
        return Remedy(summary=f"Log in again, start {name} again, or restart the machine.")
    return Remedy(summary=f"Restart {name}.", commands=(f"systemctl restart {name}",))
