"""What DNS and multicast DNS share: questions, and the texts of an answer (RFC 1035)."""

import struct
from collections.abc import Iterator

_TXT = 16
_POINTER = 0xC0
_RECORD = struct.Struct(">HHIH")
_HEADER = struct.Struct(">HHHHHH")


def question(name: str, kind: int, group: int) -> bytes:
    """Write a question for the records of a kind and a class."""
    labels = [label.encode() for label in name.split(".") if label]
    return (
        b"".join(bytes((len(label),)) + label for label in labels)
        + b"\0"
        + struct.pack(">HH", kind, group)
    )


def texts(message: bytes) -> Iterator[str]:
    """Yield the first string of each TXT record in the answers, up to what is damaged."""
    try:
        _, _, questions, answers, _, _ = _HEADER.unpack_from(message)
        at = _HEADER.size
        for _ in range(min(questions, 4)):
            at = _past_name(message, at) + 4
        for _ in range(min(answers, 16)):
            at = _past_name(message, at)
            kind, _, _, size = _RECORD.unpack_from(message, at)
            at += _RECORD.size
            if kind == _TXT and size:
                yield message[at + 1 : at + 1 + message[at]].decode("utf-8", "replace")
            at += size
    except (struct.error, IndexError):
        return


def _past_name(message: bytes, at: int) -> int:
    while message[at]:
        if message[at] & _POINTER == _POINTER:
            return at + 2
        at += 1 + message[at]
    return at + 1
