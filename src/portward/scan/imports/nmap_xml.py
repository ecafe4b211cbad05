"""nmap's XML (-oX), by its public DTD. Only what it tells is used; nmap itself is never run.

A document type is allowed, as nmap writes one; a declaration of an entity is not, so nothing can
be expanded, and nothing is ever read from elsewhere.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import ClassVar
from xml.parsers import expat

from portward.model.net import MAX_PORT, Protocol
from portward.model.scan import PortState, Scan, ScannedHost, ScannedPort, Spoken
from portward.model.unknown import Unknown
from portward.scan.imports import MAX_PORTS, DamagedError

_BEGINS = re.compile(rb"^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>)?\s*(?:<!DOCTYPE|<!--|<\?|<nmaprun)")
_MOST_DEPTH = 64
_BANNER = 1000
_STATES = {
    "open": PortState.OPEN,
    "closed": PortState.CLOSED,
    "filtered": PortState.FILTERED,
    "open|filtered": PortState.SILENT,
}
_REFUSED = re.compile(r"(?:host|net|proto|admin|port)-(?:unreach|prohibited)|-prohibited")
_SECURED = {
    "http": "https",
    "imap": "imaps",
    "pop3": "pop3s",
    "ldap": "ldaps",
    "smtp": "submissions",
}


def is_it(data: bytes) -> bool:
    """Say whether it is XML with the root element of nmap."""
    return bool(_BEGINS.match(data[:200])) and b"<nmaprun" in data[:10_000]


def read(data: bytes) -> Scan:
    """Read all hosts."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    parser.UnparsedEntityDeclHandler = _refuse
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat's own: the last part
    except expat.ExpatError as error:
        raise DamagedError(f"{error}") from None
    except ValueError as error:
        raise DamagedError(f"line {parser.CurrentLineNumber} has no number: {error}") from None
    return reader.scan()


def _refuse(*_: object) -> int:
    raise DamagedError("it declares an entity, which nmap never does")


class _Reader:
    """Takes the elements as they come; those that are not known pass by."""

    def __init__(self) -> None:
        self._depth = 0
        self._run: Mapping[str, str] = {}
        self._elapsed = 0.0
        self._complete = False
        self._asked: dict[str, str] = {}
        self._hosts: list[ScannedHost] = []
        self._count = 0
        self._forget()

    def _forget(self) -> None:
        """Begin a host."""
        self._address = self._name = ""
        self._ports: list[ScannedPort] = []
        self._others: dict[str, dict[PortState, int]] = {}
        self._unknown: list[Unknown] = []
        self._extra = (PortState.UNCERTAIN, 0)
        self._port: dict[str, str] = {}
        self._spoken: Spoken | None = None
        self._banner = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take the beginning of an element."""
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise DamagedError(f"more than {_MOST_DEPTH} elements inside of each other")
        if self._depth == 1 and name != "nmaprun":
            raise DamagedError(f'its root is "{name[:40]}", not "nmaprun"')
        takes = self._TAKES.get(name)
        if takes:
            takes(self, attributes)

    def end(self, name: str) -> None:
        """Take the end of an element."""
        self._depth -= 1
        if name == "port":
            self._keep()
        elif name == "host" and self._address:
            self._hosts.append(
                ScannedHost(
                    address=self._address,
                    name=self._name,
                    ports=tuple(self._ports),
                    others=self._others,
                    asked=self._asked,
                    unknown=tuple(self._unknown),
                )
            )
        elif name == "extraports":
            self._end_extra()

    def _nmaprun(self, attributes: Mapping[str, str]) -> None:
        self._run = attributes

    def _host(self, _: Mapping[str, str]) -> None:
        self._forget()

    def _addressed(self, attributes: Mapping[str, str]) -> None:
        if attributes.get("addrtype") != "mac":
            self._address = str(ip_address(attributes.get("addr", "")))

    def _hostname(self, attributes: Mapping[str, str]) -> None:
        self._name = self._name or attributes.get("name", "")

    def _port_begins(self, attributes: Mapping[str, str]) -> None:
        self._port = dict(attributes)
        self._spoken, self._banner = None, ""

    def _state(self, attributes: Mapping[str, str]) -> None:
        self._port |= attributes

    def _script(self, attributes: Mapping[str, str]) -> None:
        if attributes.get("id") == "banner":
            self._banner = attributes.get("output", "")[:_BANNER]

    def _finished(self, attributes: Mapping[str, str]) -> None:
        self._elapsed = float(attributes.get("elapsed") or 0)
        self._complete = attributes.get("exit") == "success"

    def _extrareasons(self, attributes: Mapping[str, str]) -> None:
        if attributes.get("proto"):
            self._count_extra(attributes["proto"], int(attributes.get("count", "")))

    def _scaninfo(self, attributes: Mapping[str, str]) -> None:
        """Learn which ports were asked; what is not written as spans is not known."""
        services = attributes.get("services", "")
        if services and not services.strip("0123456789,-"):
            self._asked[attributes.get("protocol", "")] = services

    def _extraports(self, attributes: Mapping[str, str]) -> None:
        """Begin to count ports that have no line."""
        state = _STATES.get(attributes.get("state", ""), PortState.UNCERTAIN)
        self._extra = state, int(attributes.get("count", ""))

    def _count_extra(self, protocol: str, count: int) -> None:
        state, left = self._extra
        counts = self._others.setdefault(protocol, {})
        counts[state] = counts.get(state, 0) + count
        self._extra = state, left - count

    def _end_extra(self) -> None:
        """Count the rest, of which versions before 7.92 do not say which protocol it is of."""
        state, left = self._extra
        if left > 0 and len(self._asked) == 1:
            self._count_extra(next(iter(self._asked)), left)
        elif left > 0:
            self._unknown.append(Unknown(f"of which protocol {left} {state} ports are"))

    def _service(self, attributes: Mapping[str, str]) -> None:
        """Take what was recognised by an answer; a name out of a table says nothing."""
        if attributes.get("method") != "probed" or not attributes.get("name"):
            return
        name = attributes["name"]
        tunnel = attributes.get("tunnel") == "ssl"
        product = " ".join(filter(None, (attributes.get("product"), attributes.get("version"))))
        self._spoken = Spoken(
            protocol=_SECURED.get(name, name) if tunnel else name,
            product=product,
            cleartext=False if tunnel else None,
        )

    _TAKES: ClassVar[Mapping[str, Callable[["_Reader", Mapping[str, str]], None]]] = {
        "nmaprun": _nmaprun,
        "scaninfo": _scaninfo,
        "host": _host,
        "address": _addressed,
        "hostname": _hostname,
        "extraports": _extraports,
        "extrareasons": _extrareasons,
        "port": _port_begins,
        "state": _state,
        "service": _service,
        "script": _script,
        "finished": _finished,
    }
    """By the name of an element."""

    def _keep(self) -> None:
        """Add the port that has ended."""
        self._count += 1
        if self._count > MAX_PORTS:
            raise DamagedError(f"more than {MAX_PORTS:,} ports")
        number = int(self._port.get("portid", ""))
        protocol = self._port.get("protocol", "")
        if protocol not in {*Protocol} or not 0 <= number <= MAX_PORT:
            return  # such as the protocols of -sO
        reason = self._port.get("reason", "")
        state = _STATES.get(self._port.get("state", ""), PortState.UNCERTAIN)
        if state == PortState.FILTERED and _REFUSED.search(reason):
            state = PortState.REFUSED
        ttl = self._port.get("reason_ttl", "0")
        self._ports.append(
            ScannedPort(
                port=number,
                protocol=Protocol(protocol),
                state=state,
                reason=reason or "listed by nmap",
                ttl=int(ttl) or None if ttl.isdecimal() else None,
                service=self._spoken,
                banner=self._banner,
            )
        )

    def scan(self) -> Scan:
        """Return everything."""
        start = self._run.get("start", "0")
        return Scan(
            started=datetime.fromtimestamp(int(start) if start.isdecimal() else 0, UTC),
            duration=self._elapsed,
            engine=self._run.get("scanner", "nmap"),
            complete=self._complete,
            hosts=tuple(self._hosts),
        )
