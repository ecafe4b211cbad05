"""QUIC (RFC 9000): a version that nobody speaks, so that a server lists those that it does."""

from portward.model.scan import Spoken

PORTS = (443, 8443, 784, 853)
_RESERVED = bytes.fromhex("1a2a3a4a")
"""Of the pattern 0x?a?a?a?a, which forces version negotiation (RFC 9000, 15)."""
_DESTINATION, _SOURCE = b"portward", b"draw-trop"
_LEAST = 1200
"""A server may ignore a first datagram that is smaller (RFC 9000, 14.1)."""
_LONG_HEADER = 0xC0


def _initial() -> bytes:
    ids = bytes((len(_DESTINATION),)) + _DESTINATION + bytes((len(_SOURCE),)) + _SOURCE
    return (bytes((_LONG_HEADER,)) + _RESERVED + ids).ljust(_LEAST, b"\0")


GREETINGS = (_initial(),)
_NEGOTIATION = bytes(4)


def recognise(reply: bytes) -> Spoken | None:
    """Read a version negotiation: our two connection ids, exchanged."""
    ids = bytes((len(_SOURCE),)) + _SOURCE + bytes((len(_DESTINATION),)) + _DESTINATION
    if not reply or not reply[0] & 0x80 or reply[1:5] != _NEGOTIATION:
        return None
    versions = reply[5 + len(ids) :]
    if not reply[5:].startswith(ids) or not versions or len(versions) % 4:
        return None
    return Spoken(protocol="https", product="QUIC", cleartext=False)
