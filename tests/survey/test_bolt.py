"""The capture is the database of a podman 4.3.1 with 73 containers."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.survey.bolt import Bolt, BoltError

DATABASE = gzip.decompress(
    (Path(__file__).parents[1] / "captures/podman/bolt_state.db.gz").read_bytes()
)


def walk(data: bytes) -> int:
    """Read every container; return how many have a configuration."""
    containers = Bolt(data).top.bucket(b"ctr")
    assert containers is not None
    return sum(entry.value(b"config") is not None for _, entry in containers.buckets())


def test_every_bucket_is_read() -> None:
    assert walk(DATABASE) == 73


def test_what_is_not_there_is_none() -> None:
    top = Bolt(DATABASE).top
    assert top.bucket(b"absent") is None
    assert top.value(b"ctr") is None
    containers = top.bucket(b"ctr")
    assert containers is not None
    assert containers.value(b"absent") is None


def test_of_two_meta_pages_one_is_enough() -> None:
    half_written = bytearray(DATABASE)
    half_written[20] ^= 0xFF
    assert walk(bytes(half_written)) in {72, 73}  # the other may be one change older
    half_written[4096 + 20] ^= 0xFF
    with pytest.raises(BoltError, match="no bolt database"):
        Bolt(bytes(half_written))


@pytest.mark.parametrize("size", [0, 100, 4096, 8192, 16384, len(DATABASE) // 2])
def test_a_database_that_is_cut_short_is_refused(size: int) -> None:
    with pytest.raises(BoltError):
        walk(DATABASE[:size])


@given(st.integers(8192, len(DATABASE) - 1), st.integers(0, 255))
def test_damage_is_refused_or_harmless(place: int, byte: int) -> None:
    data = bytearray(DATABASE)
    data[place] = byte
    try:
        walk(bytes(data))
    except (BoltError, AssertionError):
        return
