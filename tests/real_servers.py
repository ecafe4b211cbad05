"""Real servers of Debian packages, unpacked but not installed, in a room of their own.

Nothing is set up on the machine and nothing starts at its next boot: the packages are downloaded
and unpacked once into a store, which lies as an overlay over the machine's own files (its /var is
left out, where the store itself is). In the room
(a network, mount and process namespace) the servers find everything where they expect it. When
the room closes, all its processes, mounts and interfaces are gone, also when the test is killed.
"""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar

from portward.survey.namespaces import NetworkNamespace, inside

T = TypeVar("T")
STORE = Path("/var/cache/portward-tests")
PATIENCE = 30
"""Seconds until a server that does not answer is a failure."""
_USR_MERGED = ("bin", "sbin", "lib", "lib64")

_SET_UP = """
set -eu
mount --make-rprivate /
mount -t tmpfs room "$1"
root=$1/root
for name in usr etc var; do
    mkdir -p "$1/upper/$name" "$1/work/$name" "$root/$name" "$2/$name"
    lower=$2/$name:/$name
    [ "$name" = var ] && lower=$2/var
    mount -t overlay room -o "lowerdir=$lower,upperdir=$1/upper/$name,workdir=$1/work/$name" \
        "$root/$name"
done
for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
mkdir "$root/proc" "$root/dev" "$root/run" "$root/srv"
mkdir -m 1777 "$root/tmp" "$root/var/tmp"
ln -s /run "$root/var/run"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
ip link set lo up
cd "$root"
echo ready
exec chroot . /bin/sleep 1000000
"""


def unpacked(packages: Sequence[str]) -> Path:
    """Return the directory where packages, and what they need, lie unpacked."""
    name = hashlib.sha256(" ".join(sorted(packages)).encode()).hexdigest()[:16]
    done = STORE / name
    STORE.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (STORE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            _unpack(packages, done)
    return done


def _unpack(packages: Sequence[str], done: Path) -> None:
    archives = STORE / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    before = set(archives.glob("*.deb"))
    draft = done.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    download = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", "--download-only")
    # Without the lock of dpkg, as nothing is installed.
    places = ("-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=1")
    subprocess.run([*download, *places, *packages], check=True, capture_output=True, timeout=600)
    for archive in sorted(set(archives.glob("*.deb")) - before):
        subprocess.run(["dpkg-deb", "-x", archive, draft], check=True, timeout=120)
        archive.unlink()
    for name in _USR_MERGED:
        if (draft / name).is_dir():
            (draft / "usr" / name).mkdir(parents=True, exist_ok=True)
            subprocess.run(
                ["cp", "-a", f"{draft / name}/.", draft / "usr" / name], check=True, timeout=60
            )
            shutil.rmtree(draft / name)
    draft.rename(done)


class Room:
    """Where servers run; inside() is for whoever talks to them."""

    def __init__(self, *packages: str) -> None:
        self._packages = packages
        self._logs: dict[str, Path] = {}
        self._servers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._place = Path(tempfile.mkdtemp(prefix="portward-room-"))
        words = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c")
        self._keeper = subprocess.Popen(
            [*words, _SET_UP, "sh", str(self._place), str(unpacked(self._packages))],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._keeper.stdout
        assert self._keeper.stdout.readline() == "ready\n"
        number = self._keeper.pid
        children = Path(f"/proc/{number}/task/{number}/children").read_text("ascii")
        self.pid = int(children.split()[0])
        path = f"/proc/{self.pid}/ns/net"
        self.namespace = NetworkNamespace(os.stat(path).st_ino, path, (self.pid,), None)  # noqa: PTH116
        return self

    def __exit__(self, *_: object) -> None:
        self._keeper.kill()
        self._keeper.wait(PATIENCE)
        for server in self._servers:
            server.wait(PATIENCE)
        if self._keeper.stdout:
            self._keeper.stdout.close()
        shutil.rmtree(self._place, ignore_errors=True)

    def file(self, name: str, text: str | bytes = "", *, mode: int = 0o644) -> Path:
        """Write a file of the room."""
        place = Path(f"/proc/{self.pid}/root") / name.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)
        place.chmod(mode)
        return place

    def users(self, *names: str) -> None:
        """Add the users that the packages' own scripts would have added."""
        etc = Path(f"/proc/{self.pid}/root/etc")
        for number, name in enumerate(names, 900):
            for file, line in (
                ("passwd", f"{name}:x:{number}:{number}::/tmp:/bin/false\n"),
                ("group", f"{name}:x:{number}:\n"),
            ):
                text = (etc / file).read_text()
                if f"\n{name}:" not in text:
                    (etc / file).write_text(text + line)

    def show(self, *places: Path) -> None:
        """Let the room see directories of the machine where they are."""
        for place in places:
            below = f"{self._place}/root{place}"
            enter = ("nsenter", "-t", str(self.pid), "-m", "--")
            subprocess.run([*enter, "mkdir", "-p", below], check=True, timeout=10)
            subprocess.run([*enter, "mount", "--rbind", place, below], check=True, timeout=10)

    def _inside(self, command: str | Sequence[str]) -> list[str]:
        words = command.split() if isinstance(command, str) else list(command)
        return ["nsenter", "-t", str(self.pid), "-n", "-m", "-p", "-r", "-w", "--", *words]

    def run(self, command: str | Sequence[str], text: str | None = None) -> str:
        """Run a command in the room to its end."""
        done = subprocess.run(
            self._inside(command),
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}"
        return done.stdout

    def start(self, command: str | Sequence[str]) -> Path:
        """Start a server, and return the file of what it prints."""
        log = self._place / f"{len(self._logs)}.log"
        with log.open("wb") as stream:
            # Ends with the room: the kernel kills all of a process namespace with its first.
            self._servers.append(
                subprocess.Popen(
                    self._inside(command), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
                )
            )
        self._logs[str(command)] = log
        return log

    def inside(self, work: Callable[[], T]) -> T:
        """Do something in the network of the room."""
        return inside(self.namespace, work)

    def wait_for(self, *ports: int) -> None:
        """Wait until TCP ports are open."""

        def opened() -> None:
            for port in ports:
                end = time.monotonic() + PATIENCE
                while True:
                    with socket.socket() as ours:
                        if not ours.connect_ex(("127.0.0.1", port)):
                            break
                    assert time.monotonic() < end, f"port {port}\n{self.logs()}"
                    time.sleep(0.05)

        self.inside(opened)

    def logs(self) -> str:
        """Return the end of what each server printed."""
        return "\n".join(
            f"== {name}\n{log.read_text('utf-8', 'replace')[-1500:]}"
            for name, log in self._logs.items()
        )
