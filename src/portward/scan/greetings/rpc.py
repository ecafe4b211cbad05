"""ONC RPC (RFC 5531): the procedure that does nothing, of rpcbind (RFC 1833) and NFS (RFC 1813)."""

import struct

from portward.model.scan import Spoken

PORTS = (111, 2049)
_CALL = struct.Struct(">IIIIIIIIII")
_IS_CALL, _IS_REPLY, _RPC_VERSION = 0, 1, 2
_PROGRAMS = {0x70772D72: ("rpcbind", 100_000, 2), 0x70772D6E: ("nfs", 100_003, 3)}
"""Transaction identifier -> service, program number and version."""
GREETINGS = tuple(
    _CALL.pack(number, _IS_CALL, _RPC_VERSION, program, version, 0, 0, 0, 0, 0)
    for number, (_, program, version) in _PROGRAMS.items()
)
_REPLY = struct.Struct(">IIIIII")
_ACCEPTED, _DONE, _OTHER_VERSION = 0, 0, 2


def recognise(reply: bytes) -> Spoken | None:
    """Read a reply: the program is there, perhaps in another version."""
    if len(reply) < _REPLY.size:
        return None
    number, kind, accepted, _, _, outcome = _REPLY.unpack_from(reply)
    if number not in _PROGRAMS or kind != _IS_REPLY or accepted != _ACCEPTED:
        return None
    if outcome not in {_DONE, _OTHER_VERSION}:
        return None
    return Spoken(protocol=_PROGRAMS[number][0], cleartext=True)
