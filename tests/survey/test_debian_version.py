import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portward.survey.debian_version import compare

UPSTREAM = st.text("0019az.+~-", max_size=8).map(lambda text: f"1{text}")
REVISION = st.text("019az.+~", min_size=1, max_size=4)
VERSION = st.builds(
    lambda epoch, upstream, revision: f"{epoch}{upstream}-{revision}",
    st.sampled_from(["", "0:", "1:", "01:"]),
    UPSTREAM,
    REVISION,
) | st.text("019az.+~", max_size=8).map(lambda text: f"1{text}")


def judged(one: str, other: str) -> int:
    for sign, relation in ((-1, "lt"), (0, "eq"), (1, "gt")):
        command = ["dpkg", "--compare-versions", one, relation, other]
        if subprocess.run(command, check=False).returncode == 0:
            return sign
    raise AssertionError(f"dpkg knows no order of {one} and {other}")


@given(VERSION, VERSION)
@settings(max_examples=150, deadline=None)
def test_order_is_that_of_dpkg(one: str, other: str) -> None:
    assert compare(one, other) == judged(one, other)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0~rc1", "1.0"),
        ("1.0", "1.0a"),
        ("1.0-1", "1.0-1+deb12u1"),
        ("1.0-1~bpo12+1", "1.0-1"),
        ("9", "10"),
        ("10", "1:9"),
        ("1.0a", "1.0+"),
        ("1.0-1", "1.0-1.1"),
        ("0" * 5000 + "1", "1" + "0" * 5000),
    ],
)
def test_newer(older: str, newer: str) -> None:
    assert compare(older, newer) == -1
    assert compare(newer, older) == 1


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.0-0"), ("0:1", "1"), ("1.00", "1.0")])
def test_equal(one: str, other: str) -> None:
    assert compare(one, other) == 0


@given(st.text(max_size=20), st.text(max_size=20))
def test_every_text_has_its_place(one: str, other: str) -> None:
    assert compare(one, other) == -compare(other, one)
    assert compare(one, one) == 0
