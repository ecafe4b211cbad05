"""masscan's JSON: an array (-oJ), or one record a line (-oD)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from portward.model.scan import PortState, ScannedPort, Spoken
from portward.model.scan import Scan as Result
from portward.scan.imports import listed
from portward.scan.imports.listed import Found

_BEGINS = re.compile(rb'^\s*\[?\s*\{\s*"ip"\s*:')
_EMPTY = re.compile(rb"^\s*\[\s*\]\s*$")
_STATES = {"open": PortState.OPEN, "closed": PortState.CLOSED}
_BANNER = 1000


def is_it(data: bytes) -> bool:
    """Say whether it begins with the address that each record has first, or holds nothing."""
    return bool(_BEGINS.match(data[:200]) or (len(data) < 200 and _EMPTY.match(data)))  # noqa: PLR2004


def read(data: bytes) -> Result:
    """Read all records."""
    times: list[float] = []
    found = list(_found(data, times))
    whole = data.lstrip()[:1] != b"[" or data.rstrip()[-1:] == b"]"
    return listed.scan("masscan", found, min(times, default=0), complete=whole)


def _found(data: bytes, times: list[float]) -> Iterator[Found]:
    for number, record in listed.records(data):
        if "ip" not in record:
            continue  # {"finished": 1} ends some
        where = listed.address(record["ip"], number)
        stamp = str(record.get("timestamp", ""))
        if stamp.isdecimal():
            times.append(float(stamp[:12]))
        if "rec_type" in record:
            more = record.get("data")
            yield where, _port(record, more if isinstance(more, dict) else {}, number)
        ports = record.get("ports", [])
        for one in ports if isinstance(ports, list) else []:
            if isinstance(one, dict):
                yield where, _port(one, one, number)


def _port(record: Mapping[str, Any], more: Mapping[str, Any], number: int) -> ScannedPort:
    service = more.get("service", more)
    service = service if isinstance(service, dict) else {}
    name = str(service.get("service_name", service.get("name", "")))
    ttl = more.get("ttl")
    return ScannedPort(
        port=listed.port(record.get("port"), number),
        protocol=listed.protocol(record.get("proto"), number),
        state=_STATES.get(str(more.get("status", "open")), PortState.UNCERTAIN),
        reason=str(more.get("reason") or "listed by masscan"),
        ttl=ttl if isinstance(ttl, int) and 0 <= ttl <= 255 else None,  # noqa: PLR2004 - a byte
        service=Spoken(protocol=name) if name else None,
        banner=str(service.get("banner", ""))[:_BANNER],
    )
