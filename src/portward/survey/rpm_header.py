"""Read a package header as the database of RPM keeps it.

Format: https://rpm-software-management.github.io/rpm/manual/format_header.html; the database
leaves out the magic of a package file, so a header starts with its two counts.
"""

import struct

from msgspec import Struct

from portward.model.host import Package
from portward.survey.files import decoded

# Tags and types: lib/rpm/rpmtag.h of RPM.
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH = 1000, 1001, 1002, 1003, 1022
_SOURCE_RPM, _DIR_INDEXES, _BASE_NAMES, _DIR_NAMES = 1044, 1116, 1117, 1118
_INT32, _STRING, _STRING_ARRAY = 4, 6, 8
_WANTED = {
    _NAME: _STRING,
    _VERSION: _STRING,
    _RELEASE: _STRING,
    _EPOCH: _INT32,
    _ARCH: _STRING,
    _SOURCE_RPM: _STRING,
    _DIR_INDEXES: _INT32,
    _BASE_NAMES: _STRING_ARRAY,
    _DIR_NAMES: _STRING_ARRAY,
}


_ENTRY = struct.Struct(">IIII")
"""Tag, type, offset of the value in the data, count."""


class HeaderError(ValueError):
    """The header is damaged."""


class Header(Struct, frozen=True):
    """What portward wants to know of a package."""

    package: Package
    files: tuple[str, ...]
    """Absolute paths, in the order that the database's index of base names counts them."""


def parse(blob: bytes) -> Header:
    """Read one header; raise HeaderError for a damaged one."""
    try:
        numbers, texts = _values(blob)
        version = f"{texts[_VERSION][0]}-{texts[_RELEASE][0]}"
        files = tuple(
            texts[_DIR_NAMES][index] + base
            for index, base in zip(
                numbers.get(_DIR_INDEXES, ()), texts.get(_BASE_NAMES, ()), strict=True
            )
        )
        name = texts[_NAME][0]
    except (struct.error, ValueError, IndexError, KeyError) as error:
        raise HeaderError("damaged package header") from error
    epoch = numbers.get(_EPOCH)
    # "name-version-release.src.rpm"
    source = texts.get(_SOURCE_RPM, [name])[0].rsplit("-", 2)[0]
    package = Package(
        name=name,
        version=f"{epoch[0]}:{version}" if epoch else version,
        architecture=texts.get(_ARCH, [""])[0],
        source=source if source != name else None,
    )
    return Header(package, files)


def _values(blob: bytes) -> tuple[dict[int, tuple[int, ...]], dict[int, list[str]]]:
    """Return the wanted numbers and texts by tag."""
    count, size = struct.unpack_from(">II", blob)
    start = 8 + count * _ENTRY.size
    if len(blob) < start + size:
        raise ValueError("shorter than it says")
    numbers: dict[int, tuple[int, ...]] = {}
    texts: dict[int, list[str]] = {}
    for tag, kind, offset, length in _ENTRY.iter_unpack(blob[8:start]):
        if _WANTED.get(tag) != kind:
            continue
        if kind == _INT32:
            numbers[tag] = struct.unpack_from(f">{length}I", blob, start + offset)
        else:
            wanted = 1 if kind == _STRING else length
            found = blob[start + offset :].split(b"\0", wanted)
            if len(found) <= wanted:
                raise ValueError("a text without its end")
            texts[tag] = [decoded(text) for text in found[:wanted]]
    return numbers, texts
