"""naabu's JSON lines (-json)."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from portward.model.net import Protocol
from portward.model.scan import PortState, ScannedPort
from portward.model.scan import Scan as Result
from portward.scan.imports import listed
from portward.scan.imports.listed import Found

_BEGINS = re.compile(rb'^\s*\{(?=[^\n]*"port")(?=[^\n]*"(?:ip|host)")(?!\s*"ip"\s*:)')


def is_it(data: bytes) -> bool:
    """Say whether the first line names a host and a port; masscan has the address first."""
    return bool(_BEGINS.match(data[:2000]))


def read(data: bytes) -> Result:
    """Read all lines."""
    times: list[float] = []
    return listed.scan("naabu", list(_found(data, times)), min(times, default=0))


def _found(data: bytes, times: list[float]) -> Iterator[Found]:
    for number, record in listed.records(data):
        port, kind = record.get("port"), record.get("protocol", Protocol.TCP)
        if isinstance(port, dict):  # before its version 2.1
            kind = {0: "tcp", 1: "udp"}.get(port.get("Protocol", 0), "")
            port = port.get("Port")
        with suppress(ValueError):  # without a time it still counts
            stamp = str(record.get("timestamp"))[:19]
            times.append(datetime.fromisoformat(f"{stamp}Z").timestamp())
        yield (
            listed.address(record.get("ip") or record.get("host"), number),
            ScannedPort(
                port=listed.port(port, number),
                protocol=listed.protocol(kind, number),
                state=PortState.OPEN,
                reason="listed by naabu",
            ),
        )
