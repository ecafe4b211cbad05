"""MQTT 3.1.1 (OASIS, 3.1): a client that wants nothing; versions 3.1 and 5 answer as well."""

import struct

from portward.model.scan import Spoken

PORTS = (1883, 8883)
SECURED = "mqtts"
_CONNECT, _ACKNOWLEDGED = 0x10, 0x20
_CLEAN_SESSION, _LEVEL, _SECONDS = 0x02, 4, 10
_CLIENT = b"portward"
_BODY = (
    struct.pack(">H4sBBH", 4, b"MQTT", _LEVEL, _CLEAN_SESSION, _SECONDS)
    + struct.pack(">H", len(_CLIENT))
    + _CLIENT
)
GREETING = bytes((_CONNECT, len(_BODY))) + _BODY
_LAST_CODE = 5
_REFUSED = {4: "asks for a password", 5: "asks who it is"}


def recognise(said: bytes) -> Spoken | None:
    """Read the acknowledgement: four bytes, whatever it says."""
    if len(said) != 4 or said[:2] != bytes((_ACKNOWLEDGED, 2)) or said[2] > 1:  # noqa: PLR2004
        return None
    if said[3] > _LAST_CODE:
        return None
    product = _REFUSED.get(said[3], "lets anyone in" if said[3] == 0 else "")
    return Spoken(protocol="mqtt", product=product, cleartext=True)
