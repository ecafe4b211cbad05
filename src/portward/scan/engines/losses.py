"""Frames that arrived at this machine and were thrown away for want of room."""

from pathlib import Path

_SOFTNET = Path("/proc/thread-self/net/softnet_stat")
_DEVICES = Path("/proc/thread-self/net/dev")
_DROPPED, _FIFO = 4, 5
"""Columns of a line of net/dev, behind the name."""


class Losses:
    """Counts from now on; what cannot be read counts nothing."""

    def __init__(self, device: str) -> None:
        """Begin."""
        self._name = f"{device}:"
        self._before = self._total()

    def count(self) -> int:
        """Return how many so far, in the queues of all processors and of the device."""
        return max(0, self._total() - self._before)

    def _total(self) -> int:
        total = 0
        try:
            for line in _SOFTNET.read_text(encoding="ascii").splitlines():
                total += int(line.split()[1], 16)
            for line in _DEVICES.read_text(encoding="ascii").splitlines():
                words = line.split()
                if words[0] == self._name:
                    total += int(words[_DROPPED]) + int(words[_FIFO])
        except (OSError, ValueError, IndexError):
            return total
        return total
