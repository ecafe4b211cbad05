"""Scans as files: the JSON that ``portward scan --format json`` writes, read again."""

import msgspec

from portward.model.errors import ScanError
from portward.model.scan import SCHEMA_VERSION, Scan

MAX_BYTES = 1 << 30
"""A million hosts stay below, each with what few ports of it are worth a line."""


class _Version(msgspec.Struct):
    schema_version: int


def decode(data: bytes, where: str) -> Scan:
    """Read a scan; ``where`` names the file in the ScanError."""
    again = 'a file that "portward scan --format json" wrote is needed'
    try:
        version = msgspec.json.decode(data, type=_Version).schema_version
        if version > SCHEMA_VERSION:
            raise ScanError(
                f"schema {version} is newer than this portward, which reads up to {SCHEMA_VERSION}",
                where=where,
                mend="update portward",
            )
        return msgspec.json.decode(data, type=Scan)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ScanError(f"no scan of portward: {error}", where=where, mend=again) from None
