"""One file, one protocol over TCP; pure. A module is found by looking into this folder.

It has

``PORTS``      where it is usually met, so that it is tried there first; never a proof,
``GREETING``   what a client says first; None: the server speaks first,
``recognise``  from what a server said to what it is, or None; whatever it was asked,

and, where they apply,

``SECURED``    its name in the catalogue where all of it travels in TLS,
``STARTTLS``   how a client turns TLS on in a connection that begins in clear text.
"""

import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import NamedTuple

from portward.model.scan import Spoken


class Step(NamedTuple):
    """One exchange on the way to TLS: what to send, and what the answer must then hold."""

    send: bytes
    expect: re.Pattern[bytes]
    """Empty where TLS begins at once."""


class Conversation(NamedTuple):
    """What is known of one protocol."""

    name: str
    module: object

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it is usually met."""
        found: tuple[int, ...] = getattr(self.module, "PORTS")  # noqa: B009 - a module's promise
        return found

    @property
    def greeting(self) -> bytes | None:
        """What a client says first."""
        found: bytes | None = getattr(self.module, "GREETING")  # noqa: B009 - as above
        return found

    @property
    def secured(self) -> str:
        """Its name where all of it is in TLS; its own where the catalogue has no other."""
        return getattr(self.module, "SECURED", self.name)

    @property
    def starttls(self) -> tuple[Step, ...]:
        """How TLS is turned on; empty: it cannot be."""
        return getattr(self.module, "STARTTLS", ())

    def recognise(self, said: bytes) -> Spoken | None:
        """Say what a server is by what it said."""
        found: Spoken | None = getattr(self.module, "recognise")(said)  # noqa: B009 - as above
        return found


@cache
def conversations() -> Mapping[str, Conversation]:
    """Return all of them by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: Conversation(name, import_module(f"{__name__}.{name}")) for name in names}


def recognise(said: bytes) -> tuple[Spoken, Conversation] | None:
    """Say what a server is by what it said, and in which protocol."""
    for one in conversations().values():
        found = one.recognise(said)
        if found:
            return found, one
    return None


def text(said: bytes) -> str:
    """Return words that a server said, cut short."""
    return said[:200].decode("utf-8", "replace").strip()
