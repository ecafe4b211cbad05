"""ONC RPC over TCP (RFC 5531): the same call as by UDP, behind a record mark (section 11)."""

from portward.model.scan import Spoken
from portward.scan.greetings import rpc

PORTS = (111, 2049)
_LAST = 0x80000000
GREETING = (_LAST | len(rpc.GREETINGS[0])).to_bytes(4, "big") + rpc.GREETINGS[0]


def recognise(said: bytes) -> Spoken | None:
    """Read the reply behind its mark."""
    return rpc.recognise(said[4:]) if said[:1] == b"\x80" else None
