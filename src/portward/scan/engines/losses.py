"""Frames that arrived at this machine and were thrown away for want of room."""

from pathlib import Path

_SOFTNET = Path("/proc/net/softnet_stat")
_COUNTERS = ("rx_dropped", "rx_missed_errors", "rx_fifo_errors")


class Losses:
    """Counts from now on; what cannot be read counts nothing."""

    def __init__(self, device: str) -> None:
        """Begin."""
        folder = Path("/sys/class/net", device, "statistics")
        self._files = [folder / name for name in _COUNTERS]
        self._before = self._total()

    def count(self) -> int:
        """Return how many so far, on all processors' queues and at the device."""
        return max(0, self._total() - self._before)

    def _total(self) -> int:
        total = 0
        for file in self._files:
            try:
                total += int(file.read_bytes())
            except (OSError, ValueError):
                continue
        try:
            lines = _SOFTNET.read_text(encoding="ascii").splitlines()
            return total + sum(int(line.split()[1], 16) for line in lines)
        except (OSError, ValueError, IndexError):
            return total
