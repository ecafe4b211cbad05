"""A batch of packets: JSON lines in, JSON lines out, in the same order."""

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from portward.model.errors import UsageError
from portward.model.net import Protocol
from portward.reach.packets import EPHEMERAL
from portward.reach.trace import Question

_Port = Annotated[int, Meta(ge=0, le=65535)]


class _Line(Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    protocol: Protocol
    port: _Port
    source: str
    via: str | None = None
    to: str | None = None
    source_port: _Port = EPHEMERAL


def questions(lines: Iterable[bytes], where: str) -> Iterator[Question]:
    """Read packets, one a line; UsageError names the line that is none. Empty lines are skipped."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = msgspec.json.decode(line, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(f"is no packet: {error}", where=f"{where}:{number}") from None
        yield Question(one.protocol, one.port, one.source, one.via, one.to, one.source_port)
