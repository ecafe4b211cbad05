"""What tests of ``portward apply`` need of a guest: SSH, scans, and its whole state."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from guest.conftest import OFFLINE
from guest.machine import Guest

Json = dict[str, Any]
PORTWARD = "/root/portward/portward"
_COMES_AND_GOES = re.compile(
    r"(portward-(guard|recover)|ssh|systemd-tmpfiles-clean)[^ ]*\.service "
)
"""Started by a connection or a timer, and gone by themselves."""


class Result(NamedTuple):
    """What a command over SSH said."""

    status: int
    stdout: str
    stderr: str


class Ssh:
    """Logs in to a guest from the host, as an administrator would."""

    def __init__(self, guest: Guest, folder: Path, port: int = 22) -> None:
        """Make a key and give it to the guest."""
        self.guest = guest
        self.port = port
        self.key = folder / "key"
        if not self.key.exists():
            make = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
            subprocess.run(make, check=True)
        home = guest.tree / "root/.ssh"
        home.mkdir(mode=0o700, exist_ok=True)
        (home / "authorized_keys").write_text(self.key.with_suffix(".pub").read_text())

    def command(self, *words: str, address: str | None = None) -> list[str]:
        """Return what runs a command in the guest."""
        options = (
            *("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"),
            *("BatchMode=yes", "ConnectTimeout=8", "ServerAliveInterval=5"),
        )
        return [
            *("ssh", "-i", str(self.key), "-p", str(self.port)),
            *(word for option in options for word in ("-o", option)),
            f"root@{address or self.guest.address}",
            *words,
        ]

    def run(self, *words: str, address: str | None = None) -> Result:
        """Run a command in the guest over a new connection."""
        done = subprocess.run(
            self.command(*words, address=address),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def portward(self, *words: str, expect: int) -> str:
        """Run portward over a new connection."""
        given = [f"{name}={value}" for name, value in OFFLINE.items()]
        result = self.run("env", *given, PORTWARD, *words)
        assert result.status == expect, result.stdout + result.stderr
        return result.stdout


def portward(guest: Guest, *words: str, expect: int = 0) -> str:
    """Run portward in the guest itself."""
    result = guest.run(PORTWARD, *words, check=False, env=OFFLINE)
    assert result.returncode == expect, result.stdout + result.stderr
    return result.stdout


def history(guest: Guest) -> list[Json]:
    """Return what portward says was applied."""
    said: list[Json] = json.loads(portward(guest, "history", "--format", "json"))["applied"]
    return said


def scan(address: str, ports: str = "-p-") -> dict[int, str]:
    """Let nmap, an independent judge, say which TCP ports are not silent."""
    family = ["-6"] if ":" in address else []
    quick = ("--min-rate", "15000", "--max-retries", "2") if ports == "-p-" else ()
    said = subprocess.run(
        ["nmap", *family, "-Pn", "-n", "-sS", ports, *quick, "-oG", "-", address],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    ).stdout
    found = re.findall(r"(\d+)/(open|closed)/tcp", said)
    return {int(port): state for port, state in found}


def page(address: str, port: int = 80) -> bool:
    """Say whether a web server answers."""
    host = f"[{address}]" if ":" in address else address
    fetch = ["curl", "-s", "-o", "/dev/null", "-m", "5", f"http://{host}:{port}/"]
    return subprocess.run(fetch, check=False, stdin=subprocess.DEVNULL).returncode == 0


class State(NamedTuple):
    """Everything about a guest that a rollback has to bring back."""

    files: tuple[str, ...]
    """Type, mode, owner, name and content of all that is below /etc."""
    units: tuple[str, ...]
    rules: str
    packages: str


def state(guest: Guest) -> State:
    """Read a guest's state, without what differs from moment to moment."""
    listing = ("find", "/etc", "-xdev", "-printf", r"%p %y %m %u:%g %l\n")
    sums = ("find", "/etc", "-xdev", "-type", "f", "-exec", "sha256sum", "{}", "+")
    files = guest.run(*listing).stdout.splitlines() + guest.run(*sums).stdout.splitlines()
    show = ("systemctl", "list-units", "--all", "--no-legend", "--plain")
    rows = guest.run(*show, "--type=service,socket,path,timer").stdout.splitlines()
    running = (row.split()[:4] for row in rows)
    starting = guest.run("systemctl", "list-unit-files", "--no-legend", "--plain").stdout
    rules = guest.run("nft", "--stateless", "list", "ruleset").stdout
    return State(
        files=tuple(sorted(files)),
        units=tuple(
            sorted(
                line
                for line in (
                    *(f"{name} {active}" for name, _, active, _ in running if active == "active"),
                    *starting.splitlines(),
                )
                if not _COMES_AND_GOES.match(line)
            )
        ),
        rules=re.sub(r"packets \d+ bytes \d+", "", rules),
        packages=guest.run("dpkg", "--get-selections").stdout,
    )
