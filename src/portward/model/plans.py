"""Plans as files: JSON, versioned, refused whole when anything in them is not understood."""

import msgspec

from portward.model.errors import PlanError
from portward.model.plan import SCHEMA_VERSION, Plan

MAX_BYTES = 64 << 20
"""A policy with 100,000 networks takes a quarter of it."""


class _Version(msgspec.Struct):
    schema: int


def encode(plan: Plan) -> bytes:
    """Write a plan as JSON that ends in a newline."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n"


def decode(data: bytes, where: str) -> Plan:
    """Read what encode() wrote; ``where`` names the file in the PlanError."""
    again = 'make it again with "portward plan --out FILE"'
    try:
        version = msgspec.json.decode(data, type=_Version).schema
        if version <= SCHEMA_VERSION:
            return msgspec.json.decode(data, type=Plan)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PlanError(f"no plan of portward: {error}", where=where, mend=again) from None
    raise PlanError(
        f"schema {version} is newer than this portward, which reads up to {SCHEMA_VERSION}",
        where=where,
        mend="update portward",
    )
