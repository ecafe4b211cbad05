"""OpenVPN without tls-auth (RFC draft, "OpenVPN Wire Protocol"): a hard reset."""

from portward.model.scan import Spoken

PORTS = (1194,)
_CLIENT_RESET, _SERVER_RESET = 7 << 3, 8 << 3
"""Operation code in the upper five bits, key id 0 below."""
_SESSION = b"portward"
GREETINGS = (bytes((_CLIENT_RESET,)) + _SESSION + b"\0" + bytes(4),)
_ACKNOWLEDGED = 10
"""Behind operation and the server's session: one packet id, then whose it is."""


def recognise(reply: bytes) -> Spoken | None:
    """Read a server's reset that acknowledges ours."""
    if len(reply) < _ACKNOWLEDGED + 12 or reply[0] != _SERVER_RESET:
        return None
    if reply[9] != 1 or reply[_ACKNOWLEDGED + 4 :][:8] != _SESSION:
        return None
    return Spoken(protocol="openvpn", cleartext=False)
