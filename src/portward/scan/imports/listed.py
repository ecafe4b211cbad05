"""What the lists of masscan and naabu have in common: open ports, and nothing of the others."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from json import JSONDecodeError, loads
from typing import Any

from portward.model.net import MAX_PORT, Protocol
from portward.model.scan import Scan, ScannedHost, ScannedPort
from portward.scan.imports import MAX_PORTS, DamagedError

Found = tuple[str, ScannedPort]
"""An address with one of its ports."""


def records(data: bytes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the object of each line, with its number.

    Both write one a line, also within an array; masscan leaves a comma behind the last.
    """
    for number, line in enumerate(data.splitlines(), 1):
        text = line.strip().rstrip(b",")
        if text in {b"", b"[", b"]"}:
            continue
        try:
            found = loads(text.removeprefix(b"[").removesuffix(b"]") or b"{}")
        except (JSONDecodeError, UnicodeDecodeError, RecursionError):
            raise DamagedError(f"line {number} is no JSON") from None
        if not isinstance(found, dict):
            raise DamagedError(f"line {number} is no object")
        yield number, found


def address(value: object, number: int) -> str:
    """Return an address in its usual spelling."""
    try:
        return str(ip_address(str(value)))
    except ValueError:
        raise DamagedError(f"line {number} has no address") from None


def port(value: object, number: int) -> int:
    """Return the number of a port."""
    if not isinstance(value, int) or not 0 <= value <= MAX_PORT:
        raise DamagedError(f"line {number} has no port")
    return value


def protocol(value: object, number: int) -> Protocol:
    """Return a transport protocol."""
    try:
        return Protocol(str(value))
    except ValueError:
        raise DamagedError(f"line {number} is about no protocol that is known here") from None


def scan(engine: str, found: Iterable[Found], started: float, *, complete: bool = True) -> Scan:
    """Gather ports by host; of a port that is named twice the last counts, where it says more."""
    hosts: dict[str, dict[tuple[Protocol, int], ScannedPort]] = {}
    for count, (where, one) in enumerate(found, 1):
        if count > MAX_PORTS:
            raise DamagedError(f"more than {MAX_PORTS:,} ports")
        ports = hosts.setdefault(where, {})
        known = ports.get((one.protocol, one.port))
        if known is None or (one.service or one.banner):
            ports[one.protocol, one.port] = one
    return Scan(
        started=datetime.fromtimestamp(started, UTC),
        duration=0,
        engine=engine,
        complete=complete,
        hosts=tuple(
            ScannedHost(
                address=where,
                ports=tuple(ports[key] for key in sorted(ports)),
                asked={},
            )
            for where, ports in hosts.items()
        ),
    )
