"""Runs a program of the system that changes something: no shell, a limit in time, its own words."""

import os
import subprocess

from portward.model.errors import ApplyError

PATH = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
SECONDS = 120
_MOST_WORDS = 300


def run(*command: str, stdin: str | None = None, seconds: float = SECONDS) -> str:
    """Run a command and return what it prints.

    Raises:
        ApplyError: it is missing, fails or takes too long, in its own words.

    """
    result = attempt(*command, stdin=stdin, seconds=seconds)
    if result.returncode:
        said = " ".join((result.stderr or result.stdout).split())[:_MOST_WORDS]
        raise ApplyError(f"{' '.join(command[:3])} failed ({result.returncode}): {said}")
    return result.stdout


def attempt(
    *command: str, stdin: str | None = None, seconds: float = SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a command whose failure says something; ApplyError where it does not run at all."""
    try:
        return subprocess.run(  # noqa: S603 - a fixed tool with a list of arguments
            command,
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
            env={
                "PATH": PATH,
                "LC_ALL": "C",
                "HOME": "/root",
                "DEBIAN_FRONTEND": "noninteractive",
                **{name: value for name, value in os.environ.items() if name.endswith("_proxy")},
            },
        )
    except FileNotFoundError:
        raise ApplyError(f"there is no {command[0]} on this machine") from None
    except subprocess.TimeoutExpired:
        raise ApplyError(f"{' '.join(command[:3])} took longer than {seconds:g} s") from None
    except OSError as error:
        raise ApplyError(f"{command[0]} does not start: {error.strerror}") from None


def has_systemd() -> bool:
    """Say whether systemd runs as the machine's manager (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")  # noqa: PTH112 - also a guard asks, early
