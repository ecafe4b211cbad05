"""Source ports that no program of this machine has, held for the time of a scan."""

import socket
from pathlib import Path

LANES = 8
"""Ports for probes, one for each of so many rounds, and as many again for canaries."""

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL = (32768, 60999)


class Lanes:
    """Consecutive ports outside of those that the kernel gives to programs.

    A bound socket that does not listen keeps others from having the port; what arrives for it
    the kernel answers as if it were closed.
    """

    def __init__(self, source: bytes, device: str) -> None:
        """Find them; raise OSError where none are free."""
        self._sockets: list[socket.socket] = []
        low, high = _dynamic()
        above = range(high + 1, 65536 - 2 * LANES, 2 * LANES)
        below = range(low - 2 * LANES, 1024, -2 * LANES)
        for first in (*above, *below):
            if self._hold(source, device, first):
                self.first = first
                return
        raise OSError("no source ports are free")

    def _hold(self, source: bytes, device: str, first: int) -> bool:
        family = socket.AF_INET if len(source) == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
        address = socket.inet_ntop(family, source)
        if address.startswith("fe80:"):
            address += f"%{device}"
        try:
            for port in range(first, first + 2 * LANES):
                one = socket.socket(family, socket.SOCK_STREAM)
                self._sockets.append(one)
                one.bind((address, port))
        except OSError:
            self.close()
            return False
        return True

    def close(self) -> None:
        """Let them go."""
        for one in self._sockets:
            one.close()
        self._sockets = []


def _dynamic() -> tuple[int, int]:
    try:
        low, high = map(int, _RANGE.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return _USUAL
    return low, high
