import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.host import Package
from portward.survey.rpm_header import Header, HeaderError, parse

INT32, STRING, STRING_ARRAY = 4, 6, 8


def header(*values: tuple[int, int, list[int] | list[str]]) -> bytes:
    """Write a header as rpmdb keeps it, in the order given."""
    index, data = b"", b""
    for tag, kind, items in values:
        if kind == INT32:
            data += b"\0" * (-len(data) % 4)
        index += struct.pack(">IIII", tag, kind, len(data), len(items))
        for item in items:
            data += struct.pack(">I", item) if isinstance(item, int) else item.encode() + b"\0"
    return struct.pack(">II", len(values), len(data)) + index + data


WHOLE = header(
    (1000, STRING, ["bind"]),
    (1001, STRING, ["9.18"]),
    (1002, STRING, ["1.el9"]),
    (1003, INT32, [32]),
    (1022, STRING, ["x86_64"]),
    (1044, STRING, ["bind-src-9.18-1.el9.src.rpm"]),
    (1116, INT32, [1, 0]),
    (1117, STRING_ARRAY, ["named", "named.service"]),
    (1118, STRING_ARRAY, ["/usr/lib/systemd/system/", "/usr/sbin/"]),
)


def test_all_fields() -> None:
    package = Package(
        name="bind", version="32:9.18-1.el9", architecture="x86_64", source="bind-src"
    )
    assert parse(WHOLE) == Header(
        package, ("/usr/sbin/named", "/usr/lib/systemd/system/named.service")
    )


def test_package_without_files() -> None:
    blob = header((1000, STRING, ["meta"]), (1001, STRING, ["1"]), (1002, STRING, ["2"]))
    assert parse(blob) == Header(Package(name="meta", version="1-2", architecture=""), ())


def test_unknown_tags_and_foreign_types_are_passed_over() -> None:
    blob = header(
        (63, 7, [1]),
        (1000, STRING, ["meta"]),
        (1001, STRING, ["1"]),
        (1002, STRING, ["2"]),
        (1022, INT32, [7]),
    )
    assert parse(blob).package.architecture == ""


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_damage_is_a_header_error_or_harmless(place: int, bytes_: bytes) -> None:
    damaged = WHOLE[:place] + bytes_ + WHOLE[place + len(bytes_) :]
    with suppress(HeaderError):
        assert parse(damaged).package.version


@pytest.mark.parametrize("length", range(0, len(WHOLE), 7))
def test_cut_short_is_damaged(length: int) -> None:
    with pytest.raises(HeaderError):
        parse(WHOLE[:length])
