"""A link between the scanner's namespace and a target's, both of a test's own."""

import ctypes
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from own_network import run

T = TypeVar("T")
LIFETIME = "600"
SCANNER, TARGET = "10.77.0.1", "10.77.0.2"
SCANNER6, TARGET6 = "fd77::1", "fd77::2"
_CLONE_NEWNET = 0x40000000


class Namespace:
    """A network namespace that lives as long as a process that sleeps in it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(["unshare", "--net", "sleep", LIFETIME])
        self.pid = self._process.pid
        own = Path("/proc/thread-self/ns/net").readlink()
        for _ in range(1000):
            if Path(f"/proc/{self.pid}/ns/net").readlink() != own:
                break
            time.sleep(0.005)
        self._pool = ThreadPoolExecutor(1, initializer=self._enter)
        self._held: list[socket.socket] = []
        self.run("ip link set lo up")

    def _enter(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/proc/{self.pid}/ns/net").open("rb") as namespace:
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    def inside(self, work: Callable[[], T]) -> T:
        """Run work in the namespace."""
        return self._pool.submit(work).result()

    def background(self, work: Callable[[], object]) -> None:
        """Begin work in the namespace in a thread of its own."""
        pool = ThreadPoolExecutor(1, initializer=self._enter)
        pool.submit(work)
        pool.shutdown(wait=False)

    def run(self, *commands: str, text: str | None = None) -> str:
        """Run commands in the namespace."""
        return run(*(f"nsenter --net=/proc/{self.pid}/ns/net {one}" for one in commands), text=text)

    def nft(self, text: str) -> None:
        """Load rules in place of those that are there."""
        self.run("nft -f -", text=f"flush ruleset\n{text}")

    def listen(self, ports: Iterable[int], addresses: Iterable[str] = ("0.0.0.0", "::")) -> None:
        """Listen on TCP ports."""
        addresses = tuple(addresses)

        def work() -> None:
            for port in ports:
                for address in addresses:
                    family = socket.AF_INET6 if ":" in address else socket.AF_INET
                    one = socket.socket(family)
                    self._held.append(one)
                    if family == socket.AF_INET6:
                        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    one.bind((address, port))
                    one.listen(64)

        self.inside(work)

    def close(self) -> None:
        """End it."""
        for one in self._held:
            one.close()
        self._process.kill()
        self._process.wait()
        self._pool.shutdown()


def wait_for(address: str) -> None:
    """Wait until a host answers: for a second after a link has come up, IPv6 may not hear."""
    for _ in range(100):
        try:
            socket.create_connection((address, 9), timeout=0.1).close()
        except ConnectionRefusedError:
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"{address} does not answer")


@contextmanager
def link() -> Iterator[Namespace]:
    """Yield a target that the calling thread's namespace has a link to."""
    target = Namespace()
    try:
        run(
            "ip link set lo up",
            f"ip link add pws0 type veth peer name pwt0 netns {target.pid}",
            f"ip addr add {SCANNER}/24 dev pws0",
            f"ip addr add {SCANNER6}/64 dev pws0 nodad",
            "ip link set pws0 up",
        )
        target.run(
            f"ip addr add {TARGET}/24 dev pwt0",
            f"ip addr add {TARGET6}/64 dev pwt0 nodad",
            "ip link set pwt0 up",
        )
        for address in (TARGET, TARGET6):
            wait_for(address)
        yield target
    finally:
        target.close()
