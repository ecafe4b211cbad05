"""Compare Debian versions (deb-version(7))."""

import re
from itertools import zip_longest

_PIECE = re.compile(r"([^0-9]*)([0-9]*)")
_END = ((0,), (0, ""))


def compare(one: str, other: str) -> int:
    """Return a negative number, 0 or a positive one, as one is older, equal or newer.

    Total: a text that is no version is still ordered somewhere.
    """
    for part, against in zip(_parts(one), _parts(other), strict=True):
        for left, right in zip_longest(_pieces(part), _pieces(against), fillvalue=_END):
            if left != right:
                return -1 if left < right else 1
    return 0


def _parts(version: str) -> tuple[str, str, str]:
    """Split into epoch, upstream version and revision."""
    epoch, colon, rest = version.strip().partition(":")
    if not colon:
        epoch, rest = "0", epoch
    upstream, dash, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if dash else (epoch, rest, "0")


Piece = tuple[tuple[int, ...], tuple[int, str]]


def _pieces(part: str) -> list[Piece]:
    """Split into pairs of what is no digit and a number, each in a form that Python orders."""
    pieces = []
    for text, number in _PIECE.findall(part):
        digits = number.lstrip("0")
        # 0 ends the text, so that "~" sorts before the end and everything else after it. A
        # number is ordered by its length first: int() refuses very long ones.
        pieces.append(((*map(_order, text), 0), (len(digits), digits)))
    return pieces


def _order(character: str) -> int:
    """Letters sort before all else but the tilde, which sorts before everything."""
    if character == "~":
        return -1
    if character.isascii() and character.isalpha():
        return ord(character)
    return ord(character) + 256
