"""The guard: a process of its own that takes an apply back unless somebody confirms it.

It waits for the lock that the applier holds. When that is free the applier has finished or died:
what is not finished is taken back at once, what is finished when its time is over. Where systemd
runs the guard is a service of it, which outlives the session and is started again when it dies;
elsewhere it is a process of a session of its own. A unit for the next boot does the same after a
power loss, for which no process can wait.
"""

import os
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from portward.apply import disk, journal
from portward.apply.lock import FOREVER, held
from portward.apply.tools import attempt, has_systemd, run
from portward.model.applied import Applied, State
from portward.model.errors import ApplyError, PortwardError

_READY = "guard-ready"
_START_SECONDS = 30
_POLL_SECONDS = 0.2
_RETRY_SECONDS = 1.0

RECOVERY = "portward-recover.service"
_RECOVERY_FILE = Path("/etc/systemd/system", RECOVERY)
_RECOVERY_LINK = Path("/etc/systemd/system/multi-user.target.wants", RECOVERY)
_RECOVERY_TEXT = """\
# Written by portward while an apply waits to be confirmed; it is gone afterwards.
[Unit]
Description=Take back what portward changed and nobody confirmed
After=local-fs.target basic.target

[Service]
Type=oneshot
ExecStart={command}

[Install]
WantedBy=multi-user.target
"""


def _command(*words: str) -> list[str]:
    """Return a command that starts this module on its own, whatever the environment says."""
    return [sys.executable, "-I", str(Path(__file__).resolve().with_name("__main__.py")), *words]


# --- beside the applier ------------------------------------------------------------------------


def start(state_dir: Path, number: int) -> None:
    """Start the guard of an apply and wait until it is there; ApplyError where it does not come."""
    ready = state_dir / "applies" / str(number) / _READY
    command = _command("watch", str(state_dir.resolve()), str(number))
    if has_systemd():
        unit = f"portward-guard-{number}"
        run(
            *("systemd-run", "--quiet", "--collect", f"--unit={unit}"),
            *("--property=Restart=on-failure", "--property=RestartSec=1"),
            *("--property=StartLimitIntervalSec=0", "--", *command),
        )
    else:
        subprocess.Popen(  # noqa: S603 - our own interpreter
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        )
    end = time.monotonic() + _START_SECONDS
    while not ready.exists():
        if time.monotonic() > end:
            raise ApplyError("the guard does not start, so nothing was changed")
        time.sleep(_POLL_SECONDS / 10)


def watch(state_dir: str, number: str) -> None:
    """Be the guard."""
    # All code is loaded before it says that it is there, so that no disk keeps it from its work.
    import_module("portward.apply.run")  # it imports this module
    place, which = Path(state_dir), int(number)
    disk.write(place / "applies" / number / _READY, b"", mode=disk.SECRET)
    while True:
        try:
            left = _look(place, which)
            if left <= 0:
                return
            _sleep(place, which, left)
        except (OSError, PortwardError):
            time.sleep(_RETRY_SECONDS)  # nobody else would finish it


def _look(state_dir: Path, number: int) -> float:
    """Take back what has to be; return the seconds until that may be so, 0 where it is over."""
    from portward.apply import run as work  # noqa: PLC0415 - it imports this module

    with held(state_dir, seconds=FOREVER):
        found = _found(state_dir, number)
        if found is None or found.state in {State.CONFIRMED, State.ROLLED_BACK}:
            return 0
        if found.state == State.WAITING and found.seconds_left:
            return found.seconds_left
        cut_off = found.state != State.WAITING
        reason = "it was cut off" if cut_off else "nobody confirmed it in time"
        work.finish_undo(state_dir, number, reason)
    return 0


def _sleep(state_dir: Path, number: int, seconds: float) -> None:
    """Sleep until the time is over, or the journal has something new."""
    records = state_dir / "applies" / str(number) / "journal"
    size = records.stat().st_size
    end = time.clock_gettime(time.CLOCK_BOOTTIME) + seconds
    while time.clock_gettime(time.CLOCK_BOOTTIME) < end:
        with suppress(FileNotFoundError):
            if records.stat().st_size != size:
                return
        time.sleep(_POLL_SECONDS)


def _found(state_dir: Path, number: int) -> Applied | None:
    return next(
        (one.applied() for one in journal.journals(state_dir) if one.number == number), None
    )


# --- after a power loss ------------------------------------------------------------------------


def install_recovery(state_dir: Path) -> None:
    """Have the next boot take back what is not confirmed by then."""
    if not has_systemd():
        return
    words = _command("recover", str(state_dir.resolve()))
    text = _RECOVERY_TEXT.format(command=" ".join(map(_quoted, words)))
    disk.write(_RECOVERY_FILE, text.encode(), mode=0o644)
    _RECOVERY_LINK.parent.mkdir(mode=0o755, exist_ok=True)
    with suppress(FileExistsError):
        _RECOVERY_LINK.symlink_to(_RECOVERY_FILE)
    disk.sync_directory(_RECOVERY_LINK.parent)


def remove_recovery() -> None:
    """Leave the next boot alone."""
    for path in (_RECOVERY_LINK, _RECOVERY_FILE):
        with suppress(OSError):
            disk.remove(path)
    if has_systemd():
        attempt("systemctl", "daemon-reload")


def recover(state_dir: str) -> None:
    """Take back, at boot, what was not confirmed before it."""
    from portward.apply import run as work  # noqa: PLC0415 - it imports this module

    place = Path(state_dir)
    with held(place, seconds=FOREVER):
        for one in journal.journals(place):
            if one.applied().state not in {State.CONFIRMED, State.ROLLED_BACK}:
                work.finish_undo(place, one.number, "the machine went down before it was confirmed")
    remove_recovery()


def _quoted(word: str) -> str:
    """Quote a word for a unit file (systemd.service(5), "COMMAND LINES")."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"'
