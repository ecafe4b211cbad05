"""What ``portward scan --format jsonl`` writes while the scan goes on."""

import sys

from portward.model.scan import ScannedHost, ScannedPort
from portward.report.json import scan_host, scan_port
from portward.scan.look import Listener


class Lines(Listener):
    """Writes a line for each open port and each host, when it is known."""

    def port(self, address: str, port: ScannedPort) -> None:
        """Write a port that was just found open."""
        self._write(scan_port(address, port))

    def host(self, host: ScannedHost) -> None:
        """Write a host that is done with."""
        self._write(scan_host(host))

    def _write(self, line: str) -> None:
        sys.stdout.write(line)
        sys.stdout.flush()
