"""The bar on standard error while a scan goes on."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from portward.faces.scan_lines import Lines
from portward.model.scan import ScannedHost, ScannedPort
from portward.scan import look


class Bar(look.Listener):
    """Shows how far a scan is and how long it will take; gone when it is done."""

    def __init__(self, *, lines: bool) -> None:
        """Show it; lines: results are written to standard output meanwhile."""
        self._lines = Lines() if lines else look.Listener()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("scan", total=None)
        self._bar.start()

    def progress(self, progress: look.Progress) -> None:
        """Move on."""
        text = f"{progress.opened:,} open, {progress.rate:,.0f}/s"
        if progress.round > 1:
            text += f", asking the silent ones again ({progress.round})"
        self._bar.update(
            self._task, total=progress.total, completed=progress.done, description=text
        )

    def port(self, address: str, port: ScannedPort) -> None:
        """Pass it on."""
        self._lines.port(address, port)

    def host(self, host: ScannedHost) -> None:
        """Pass it on."""
        self._lines.host(host)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()
