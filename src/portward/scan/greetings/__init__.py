"""What to say to a UDP port so that its program answers, and what its answer shows; pure.

A UDP port that is asked with an empty datagram is silent whether it is open or filtered: only
the greeting of its own protocol makes its program speak. One file, one protocol; a module of this
package is found by looking into its folder. It has

``PORTS``      the ports that it is worth trying,
``GREETINGS``  datagrams, each of which a server answers,
``recognise``  from an answer to one of them to what it shows, or None.

The answers are told apart by the numbers that the greetings carry and that every one of these
protocols repeats, so the port does not matter. None changes anything on a server, or asks for an
answer that is much larger than the question where there is a smaller one.

Some protocols have no greeting that a stranger is answered: WireGuard and OpenVPN with tls-auth
are silent without a key, RADIUS to hosts that it does not know, and syslog always.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Protocol, cast

from portward.model.scan import Spoken


class Greeter(Protocol):
    """What a module of this package offers."""

    PORTS: tuple[int, ...]
    GREETINGS: tuple[bytes, ...]

    def recognise(self, reply: bytes) -> Spoken | None:
        """Say what an answer shows; None: it is none to these greetings."""


def _greeters() -> Iterator[Greeter]:
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name):
        yield cast("Greeter", import_module(f"{__name__}.{module.name}"))


_GREETERS = tuple(_greeters())


def _by_port() -> dict[int, tuple[bytes, ...]]:
    found: dict[int, tuple[bytes, ...]] = {}
    for greeter in _GREETERS:
        for port in greeter.PORTS:
            found[port] = found.get(port, ()) + greeter.GREETINGS
    return found


GREETINGS: Mapping[int, tuple[bytes, ...]] = _by_port()
"""By UDP port. A TFTP server answers from another port than the one that was asked (RFC 1350)."""


def recognise(reply: bytes) -> Spoken | None:
    """Say what an answer to one of the greetings shows; None: it is in no known protocol."""
    return next((found for one in _GREETERS if (found := one.recognise(reply))), None)
