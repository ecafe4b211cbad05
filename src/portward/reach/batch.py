"""A batch of packets: JSON lines in, JSON lines out, in the same order."""

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from portward.model.errors import UsageError
from portward.model.net import Protocol
from portward.reach.packets import EPHEMERAL, NUMBERS
from portward.reach.trace import Question

_Port = Annotated[int, Meta(ge=0, le=65535)]


_MEND = 'such as {"protocol": "tcp", "port": 22, "from": "203.0.113.7"}'


class _Line(Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    protocol: Protocol
    port: _Port
    source: str
    via: str | None = None
    to: str | None = None
    source_port: _Port = EPHEMERAL


def questions(lines: Iterable[bytes], where: str) -> Iterator[tuple[int, Question]]:
    """Read packets, one a line, each with the line's number; empty lines are passed over.

    UsageError names the line that is no packet.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            one = msgspec.json.decode(line, type=_Line)
            if one.protocol not in NUMBERS:
                raise ValueError(f'protocol "{one.protocol}" has no ports')  # noqa: TRY301
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise UsageError(
                f"is no packet: {error}", where=f"{where}:{number}", mend=_MEND
            ) from None
        yield (
            number,
            Question(one.protocol, one.port, one.source, one.via, one.to, one.source_port),
        )
