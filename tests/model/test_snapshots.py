"""Snapshot files: read back whole, or refused with the reason."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model import snapshots
from portward.model.errors import SnapshotError
from portward.model.host import SCHEMA_VERSION

SAVED = (Path(__file__).parents[1] / "cases/crowded/snapshot.json").read_bytes()


def test_a_snapshot_survives_the_file() -> None:
    snapshot = snapshots.decode(SAVED, "saved")
    assert snapshots.decode(snapshots.encode(snapshot), "again") == snapshot


def test_the_published_schema_describes_it() -> None:
    schema = json.loads(snapshots.schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(SAVED), schema, jsonschema.Draft202012Validator)


def test_a_newer_one_is_refused_with_the_mend() -> None:
    newer = SAVED.replace(b'"schema": 1', f'"schema": {SCHEMA_VERSION + 1}'.encode(), 1)
    assert newer != SAVED
    with pytest.raises(SnapshotError, match=r"new\.json: schema 2 is newer .* \(update portward\)"):
        snapshots.decode(newer, "new.json")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no snapshot of portward"),
        (b"\xff\xfe", "no snapshot of portward"),
        (b"[]", "no snapshot of portward"),
        (b'{"schema": "one"}', "no snapshot of portward"),
        (b'{"schema": 1}', "damaged: .*portward"),
        (b"[" * 100_000, "no snapshot of portward"),
        (SAVED.replace(b'"hostname"', b'"hostnam"', 1), r"damaged: .*hostnam.* - at `\$.machine`"),
        (SAVED[: len(SAVED) // 2], "no snapshot of portward|damaged"),
    ],
)
def test_damage_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(SnapshotError, match=reason):
        snapshots.decode(data, "file")


@given(st.integers(0, len(SAVED) - 1), st.binary(max_size=4))
def test_no_damage_gives_anything_but_a_snapshot_or_a_clear_error(at: int, junk: bytes) -> None:
    damaged = SAVED[:at] + junk + SAVED[at + len(junk) + 1 :]
    said = "file: "
    try:
        snapshots.decode(damaged, "file")
    except SnapshotError as error:
        said = str(error)
    assert said.startswith("file: ")
    assert "\n" not in said
