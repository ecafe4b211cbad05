"""Snapshots as files: JSON, versioned, refused whole when anything in them is not understood."""

import msgspec

from portward.model.errors import SnapshotError
from portward.model.host import SCHEMA_VERSION, Snapshot

MAX_BYTES = 256 << 20
"""A machine with 100,000 rules and 5,000 packages stays far below."""


class _Version(msgspec.Struct):
    schema: int


def encode(snapshot: Snapshot) -> bytes:
    """Write a snapshot as JSON that ends in a newline."""
    return msgspec.json.format(msgspec.json.encode(snapshot), indent=1) + b"\n"


def decode(data: bytes, where: str) -> Snapshot:
    """Read what encode() wrote; ``where`` names the file in the SnapshotError."""
    again = 'take it again with "portward snapshot"'
    if len(data) > MAX_BYTES:
        raise SnapshotError(f"larger than {MAX_BYTES >> 20} MiB, which no snapshot is", where=where)
    try:
        version = msgspec.json.decode(data, type=_Version).schema
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SnapshotError(f"no snapshot of portward: {error}", where=where, mend=again) from None
    if version > SCHEMA_VERSION:
        raise SnapshotError(
            f"schema {version} is newer than this portward, which reads up to {SCHEMA_VERSION}",
            where=where,
            mend="update portward",
        )
    try:
        return msgspec.json.decode(data, type=Snapshot)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SnapshotError(f"damaged: {error}", where=where, mend=again) from None


def schema() -> bytes:
    """Return the JSON Schema (draft 2020-12) of a snapshot file."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"portward snapshot, schema {SCHEMA_VERSION}",
        **msgspec.json.schema(Snapshot),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
