"""What is asked of systemd's manager."""

from portward.apply.tools import attempt, has_systemd, run
from portward.model.errors import ApplyError

RUNNING = frozenset({"active", "reloading", "activating", "refreshing"})
_BOOTING = frozenset({"initializing", "starting"})


def systemctl(*words: str) -> str:
    """Tell the manager something; ApplyError where it refuses, or does not run."""
    if not has_systemd():
        raise ApplyError("systemd does not run here, so units cannot be changed")
    return run("systemctl", "--no-ask-password", *words)


def start(*units: str) -> None:
    """Start units together; while the machine boots, without waiting for the boot itself.

    systemd refuses a socket whose service runs without it, so such a service stops first and
    starts with its socket: after a boot between two steps the socket was still masked, say.
    """
    if not units:
        return
    ahead = [
        service
        for socket in units
        if socket.endswith(".socket") and not is_running(socket)
        for service in _property(socket, "Triggers").split()
        if is_running(service)
    ]
    if ahead:
        systemctl("stop", "--", *ahead)
    waiting = ("--no-block",) if is_booting() else ()
    systemctl("start", *waiting, "--", *dict.fromkeys((*units, *ahead)))


def is_booting() -> bool:
    """Say whether the boot is not finished, so that waiting for a start could wait for itself."""
    return attempt("systemctl", "is-system-running").stdout.strip() in _BOOTING


def facts(unit: str) -> dict[str, str]:
    """Return LoadState, ActiveState and UnitFileState of a unit."""
    said = systemctl("show", "--property=LoadState,ActiveState,UnitFileState", "--", unit)
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def is_running(unit: str) -> bool:
    """Say whether a unit is active, or about to be."""
    return facts(unit).get("ActiveState") in RUNNING


def _property(unit: str, name: str) -> str:
    return systemctl("show", "--value", f"--property={name}", "--", unit).strip()
