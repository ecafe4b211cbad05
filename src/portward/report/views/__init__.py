"""What a program reads: the types of the JSON documents, each field with its description.

The JSON Schema under docs/schema/ and the tables of docs/json.md are written from these types.
A field is added freely; one that is renamed, removed or means something else needs a new number
in ``schema``.
"""

from msgspec import Meta, Struct

from portward.model.unknown import Unknown


class UnknownFact(Struct, frozen=True):
    """A fact that could not be learned. It is never written as null, which means "none"."""

    unknown: str
    """Why, in a short clause: "needs root"."""


def says(description: str) -> Meta:
    """Describe a field, in the schema and in the documentation."""
    return Meta(description=description)


def fact(value: str | Unknown | None) -> str | UnknownFact | None:
    """Write a text that may be unknown."""
    return UnknownFact(value.reason) if isinstance(value, Unknown) else value
