"""SMB: negotiation of a dialect ([MS-SMB2] 2.2.3; direct TCP transport, 2.1)."""

import struct

from portward.model.scan import Spoken

PORTS = (445, 139)
_NUMBER = 0
_MAGIC = b"\xfeSMB"
_DIALECTS = {0x0202: "2.0.2", 0x0210: "2.1", 0x0300: "3.0", 0x0302: "3.0.2"}
"""All that can be asked for without the contexts that 3.1.1 needs."""
_HEADER = struct.pack("<4sHHIHHIIQIIQ16s", _MAGIC, 64, 0, 0, 0, 1, 0, 0, _NUMBER, 0, 0, 0, b"")
_BODY = struct.pack("<HHHHI16sQ", 36, len(_DIALECTS), 1, 0, 0, b"portward-portwar", 0)
_MESSAGE = _HEADER + _BODY + b"".join(struct.pack("<H", one) for one in _DIALECTS)
GREETING = struct.pack(">I", len(_MESSAGE)) + _MESSAGE
_RESPONSE = 0x01
_SIGNING_REQUIRED = 0x02


def recognise(said: bytes) -> Spoken | None:
    """Read which dialect the server chose."""
    if said[4:8] == b"\xffSMB":
        return Spoken(protocol="smb", product="SMB 1", cleartext=True)
    if len(said) < 4 + 64 + 8 or said[4:8] != _MAGIC or not said[20] & _RESPONSE:
        return None
    security, dialect = struct.unpack_from("<HH", said, 4 + 64 + 2)
    signed = ", signing required" if security & _SIGNING_REQUIRED else ""
    name = _DIALECTS.get(dialect, "2")
    return Spoken(protocol="smb", product=f"SMB {name}{signed}", cleartext=None)
