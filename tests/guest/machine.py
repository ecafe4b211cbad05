"""A real Debian 12 with systemd as PID 1, in a network namespace of its own, for tests.

An image is built once by debootstrap and kept; a guest boots from it in a few seconds over an
overlay in memory, so that every change is forgotten with the guest. The network of a guest is
one veth pair: the guest is 10.99.N.2 and fd99:N::2, the host's end 10.99.N.1.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

STORE = Path("/var/lib/portward-guest")
RUNNING = Path("/run/portward-guest")
SUITE = "bookworm"
BASE = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "iproute2",
    "nftables",
    "ca-certificates",
    "procps",
    "python3",
    "python3-venv",
    "util-linux",
)
# The lists of packages age, and these would start downloads while a test runs.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "systemd-networkd-wait-online.service")
BOOT_SECONDS = 90
_ENVIRONMENT = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def _run(*command: str | Path, **options: object) -> None:
    result = subprocess.run(
        [str(word) for word in command],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_ENVIRONMENT,
        timeout=900,
        **options,  # type: ignore[call-overload]  # only cwd is ever given
    )
    if result.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{result.stdout[-3000:]}")


def _mirror() -> str:
    """Return the Debian archive that this machine itself installs from."""
    places = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    for place in places:
        for line in place.read_text().splitlines() if place.is_file() else ():
            words = line.split()
            if words[:1] in (["URIs:"], ["deb"]):
                address = next(word for word in words if "://" in word).rstrip("/")
                if address.endswith("/debian"):
                    return address
    raise RuntimeError("this machine has no Debian source to build a guest from")


@contextlib.contextmanager
def _mounted(*mounts: tuple[str, ...]) -> Iterator[None]:
    done: list[str] = []
    try:
        for words in mounts:
            _run("mount", *words)
            done.append(words[-1])
        yield
    finally:
        for target in reversed(done):
            _run("umount", "--lazy", target)


def _install(root: Path, packages: tuple[str, ...]) -> None:
    """Install packages in an image without starting anything (policy-rc.d says no)."""
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    (root / "etc/apt/sources.list").write_text(f"deb {_mirror()} {SUITE} main\n")
    debs = STORE / "debs"
    (debs / "partial").mkdir(parents=True, exist_ok=True)
    with _mounted(
        ("-t", "proc", "proc", f"{root}/proc"),
        ("--bind", "/dev", f"{root}/dev"),
        ("--bind", str(debs), f"{root}/var/cache/apt/archives"),
    ):
        _run("chroot", root, "apt-get", "update", "-qq")
        install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends")
        _run("chroot", root, *install, *packages)
    policy.unlink()
    (root / "etc/machine-id").write_text("")


def image(*packages: str) -> Path:
    """Return the root of a Debian with BASE and packages; it takes two minutes the first time."""
    STORE.mkdir(mode=0o755, parents=True, exist_ok=True)
    key = hashlib.sha256("\n".join((SUITE, *BASE, *packages)).encode()).hexdigest()[:12]
    root = STORE / f"image-{key}"
    if root.exists():
        return root
    base = STORE / f"base-{hashlib.sha256(chr(10).join(BASE).encode()).hexdigest()[:12]}"
    if not base.exists():
        draft = STORE / f"draft-base-{os.getpid()}"
        include = f"--include={','.join(BASE)}"
        _run("debootstrap", "--variant=minbase", include, SUITE, draft, _mirror())
        slim = draft / "etc/dpkg/dpkg.cfg.d/slim"
        slim.write_text("path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n")
        draft.rename(base)
    draft = STORE / f"draft-{os.getpid()}"
    _run("cp", "-a", "--reflink=auto", base, draft)
    if packages:
        _install(draft, packages)
    draft.rename(root)
    return root


def _claim() -> tuple[int, Path]:
    """Take a number that chooses a guest's name and addresses; making its folder claims it."""
    RUNNING.mkdir(mode=0o755, parents=True, exist_ok=True)
    for number in range(1, 251):
        place = RUNNING / f"pwguest{number}"
        with contextlib.suppress(FileExistsError):
            place.mkdir()
            return number, place
    raise RuntimeError(f"all guests are taken; remove what is left in {RUNNING}")


class Guest:
    """A booted guest; use it as a context manager, nothing of it is left afterwards."""

    def __init__(self, root: Path) -> None:
        """Prepare a guest from an image; it takes the first number that no other guest has."""
        self.root = root
        self.number, self.place = _claim()
        self.name = self.place.name
        self.address = f"10.99.{self.number}.2"
        self.gateway = f"10.99.{self.number}.1"
        self.leader = 0
        self._nspawn: subprocess.Popen[bytes] | None = None

    @property
    def tree(self) -> Path:
        """The guest's own root directory, seen from the host."""
        return self.place / "tree"

    def __enter__(self) -> Self:
        """Mount the overlay; boot() starts it, so that a test can write files before."""
        _run("mount", "-t", "tmpfs", "-o", "size=6g,mode=755", self.name, self.place)
        for name in ("upper", "work", "tree"):
            (self.place / name).mkdir()
        options = f"lowerdir={self.root},upperdir={self.place}/upper,workdir={self.place}/work"
        _run("mount", "-t", "overlay", "overlay", "-o", f"{options},index=off", self.tree)
        (self.tree / "etc/hostname").write_text(f"{self.name}\n")
        (self.tree / "etc/hosts").write_text(f"127.0.0.1 localhost {self.name}\n::1 localhost\n")
        (self.tree / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
        for unit in MASKED:
            link = self.tree / "etc/systemd/system" / unit
            link.unlink(missing_ok=True)
            link.symlink_to("/dev/null")
        return self

    def __exit__(self, *_: object) -> None:
        """Pull the plug and remove everything the guest had."""
        self._stop(signal.SIGKILL)
        _run("umount", "--lazy", self.tree)
        _run("umount", "--lazy", self.place)
        self.place.rmdir()

    def boot(self) -> None:
        """Start systemd and return when it says that the boot is complete."""
        self._make_network()
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = self.place / "notify"
        path.unlink(missing_ok=True)
        with notify:
            notify.bind(str(path))
            notify.settimeout(BOOT_SECONDS)
            with (self.place / "console").open("ab") as console:
                self._nspawn = subprocess.Popen(  # the argument list is fixed
                    self._command(),
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=subprocess.STDOUT,
                    preexec_fn=self._enter_cgroup,  # noqa: PLW1509 - no threads are here
                    env={
                        **os.environ,
                        "NOTIFY_SOCKET": str(path),
                        "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
                    },
                )
            while True:
                try:
                    lines = notify.recv(4096).decode().splitlines()
                except TimeoutError:
                    raise RuntimeError(f"no boot: {self.console()[-3000:]}") from None
                for line in lines:
                    if line.startswith("X_NSPAWN_LEADER_PID="):
                        self.leader = int(line.partition("=")[2])
                if "READY=1" in lines:
                    return

    def reboot(self) -> None:
        """Shut down cleanly and boot again: the disk stays, what the kernel held is lost."""
        self._stop(signal.SIGRTMIN + 4)  # systemd(1): SIGRTMIN+4 is power off
        self.boot()

    def pull_the_plug(self) -> None:
        """End everything at once, as a power loss does; what is on the disk stays."""
        self._stop(signal.SIGKILL)

    def console(self) -> str:
        """Return what the guest wrote to its console."""
        return (self.place / "console").read_text(errors="replace")

    def run(
        self, *command: str, check: bool = True, env: dict[str, str] | None = None, **limits: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the guest as root and return what it printed."""
        enter = ("nsenter", "--target", str(self.leader), "--all", "--")
        result = subprocess.run(
            [*enter, *command],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limits.get("timeout", 300),
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
            | {"HOME": "/root", "LC_ALL": "C.UTF-8", **(env or {})},
        )
        if check and result.returncode:
            raise RuntimeError(f"{command} -> {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def wait_for(self, *command: str, seconds: float = 60) -> None:
        """Wait until a command succeeds in the guest."""
        end = time.monotonic() + seconds
        while (result := self.run(*command, check=False)).returncode:
            if time.monotonic() > end:
                raise RuntimeError(f"{command}: {result.stdout}{result.stderr}")
            time.sleep(0.2)

    def allow_containers(self) -> None:
        """Let a container engine in the guest make cgroups, below the guest's own."""
        for controller in Path("/sys/fs/cgroup").iterdir():
            mount = f"/sys/fs/cgroup/{controller.name}"
            if self.run("mountpoint", "-q", mount, check=False).returncode == 0:
                self.run("mount", "-o", "remount,rw,bind", mount)
        settings = self.tree / "etc/docker/daemon.json"
        settings.parent.mkdir(exist_ok=True)
        settings.write_text(f'{{"cgroup-parent": "/{self.name}"}}')
        self.run("systemctl", "restart", "docker")

    def _command(self) -> list[str]:
        return [
            *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"),
            *("--directory", str(self.tree), "--machine", self.name, "--notify-ready=yes"),
            f"--network-namespace-path=/run/netns/{self.name}",
            "--capability=all",
            "--system-call-filter=add_key keyctl bpf perf_event_open",
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"),
        ]

    def _cgroups(self) -> list[Path]:
        mounts = [Path("/sys/fs/cgroup", name) for name in ("systemd", "unified", ".")]
        return [mount / self.name for mount in mounts if (mount / "cgroup.procs").exists()]

    def _enter_cgroup(self) -> None:
        # A cgroup of its own: guests that share one would move each other's processes about.
        os.setsid()
        for group in self._cgroups():
            group.mkdir(exist_ok=True)
            (group / "cgroup.procs").write_text("0")

    def _make_network(self) -> None:
        outer = f"pwv{self.number}"
        _run("ip", "netns", "add", self.name)
        _run(*f"ip link add {outer} type veth peer name eth0 netns {self.name}".split())
        for words in (
            f"ip addr add {self.gateway}/24 dev {outer}",
            f"ip addr add fd99:{self.number}::1/64 dev {outer} nodad",
            f"ip link set {outer} up",
            f"ip -n {self.name} link set lo up",
            f"ip -n {self.name} link set eth0 up",
            f"ip -n {self.name} addr add {self.address}/24 dev eth0",
            f"ip -n {self.name} addr add fd99:{self.number}::2/64 dev eth0 nodad",
            f"ip -n {self.name} route add default via {self.gateway}",
        ):
            _run(*words.split())

    def _stop(self, how: int) -> None:
        if self._nspawn is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.leader or self._nspawn.pid, how)
            try:
                self._nspawn.wait(BOOT_SECONDS)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
            self._nspawn = None
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)
        link = ["ip", "link", "del", f"pwv{self.number}"]
        subprocess.run(link, check=False, capture_output=True)
        # A container engine in the guest made groups below our own in every hierarchy.
        for group in Path("/sys/fs/cgroup").glob(f"**/{self.name}"):
            for path, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    Path(path).rmdir()
