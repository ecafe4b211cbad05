"""Results of other scanners, and our own, as one value; pure.

What a file is shows in its content. A format is one module that has ``is_it(data)`` and
``read(data)``; it is found by looking into this folder.

What a scanner does not tell stays unknown: masscan and naabu list only what they found, so a port
that they do not list was perhaps never asked.
"""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Protocol, cast

from portward.model import scans
from portward.model.errors import ScanError
from portward.model.scan import Scan

MAX_BYTES = 256 << 20
MAX_PORTS = 4_000_000
"""Lines of a result; a whole network of 60 hosts with every port in a line of its own."""


class DamagedError(Exception):
    """The file is cut short, or not what it seemed to be; says where."""


class Format(Protocol):
    """What a module of this package offers."""

    def is_it(self, data: bytes) -> bool:
        """Say by its beginning whether a file is in this format."""

    def read(self, data: bytes) -> Scan:
        """Read all of it; raise DamagedError."""


def _formats() -> Iterator[Format]:
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name):
        if hasattr(found := import_module(f"{__name__}.{module.name}"), "is_it"):
            yield cast("Format", found)


def read(data: bytes, where: str) -> Scan:
    """Read a scan of portward, nmap, masscan or naabu; ScanError names the file."""
    if len(data) > MAX_BYTES:
        raise ScanError(f"larger than {MAX_BYTES >> 20} MiB", where=where)
    for one in _formats():
        if one.is_it(data):
            try:
                return one.read(data)
            except DamagedError as error:
                raise ScanError(f"damaged: {error}", where=where) from None
    if data.lstrip()[:1] == b"{":
        return scans.decode(data, where)
    raise ScanError(
        "no result of a scan",
        where=where,
        mend="portward scan --format json, nmap -oX, masscan -oJ and naabu -json are read",
    )
