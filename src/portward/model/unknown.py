"""Failure is data: the value that stands where a fact could not be learned."""

from typing import TypeAlias, TypeVar

from msgspec import Struct


class Unknown(Struct, frozen=True, tag="unknown", tag_field="kind"):
    """A fact that could not be learned, and why.

    It is never the same as "none": ``None`` means that portward looked and there is nothing.
    """

    reason: str
    """One short clause that ends a sentence: "needs root", "no nft on this machine"."""


T = TypeVar("T")
Maybe: TypeAlias = T | Unknown
"""A fact of type T, or the reason why it is not known."""

NEEDS_ROOT = Unknown("needs root")
NOT_RUNNING = Unknown("the image is not running")
"""What only a running machine has; of an image nobody misses it."""
NOT_SURVEYED = Unknown("not surveyed by this command")
NOT_LOOKED_UP = Unknown("not looked up")
NOT_TOLD = Unknown("it does not tell")
"""What nothing on the machine says, so that nobody can make portward learn it."""
NO_DAEMON = Unknown("it has no daemon")
