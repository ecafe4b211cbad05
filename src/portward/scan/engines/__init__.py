"""What sends probes and takes in answers; one file, one engine, all with the same interface."""

from typing import Protocol

from portward.scan.course import Counts
from portward.scan.table import Table


class Engine(Protocol):
    """Asks the probes of one block, round after round, the unanswered ones only."""

    table: Table

    def send(self, most: int) -> int:
        """Send up to so many probes of this round, fewer where there is no room; 0: none is left.

        Raises OSError where nothing can be sent.
        """

    def poll(self) -> None:
        """Take in what has arrived; returns at once."""

    def counts(self) -> Counts:
        """Return what has been counted so far."""

    def next_round(self) -> None:
        """Begin again with those that have not answered."""

    def close(self) -> None:
        """Give everything back; the table can still be read."""
