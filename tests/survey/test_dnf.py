import os
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from portward.survey.dnf import lists_updated, parse_advisories, parse_updates

CHECK_UPDATE = """
Last metadata expiration check: 0:41:07 ago on Tue 05 Mar 2024 10:12:01 AM UTC.

NetworkManager-libnm.x86_64        1:1.44.2-1.fc39           updates
python3-libs.x86_64                3.12.2-1.fc39             updates
tzdata.noarch                      2024a-2.fc39              updates
Obsoleting Packages
grub2-tools.x86_64                 1:2.06-120.fc39           updates
    grub2-tools.x86_64             1:2.06-110.fc39           @updates
"""

DNF4 = """
FEDORA-2024-1a2b3c4d5e Important/Sec. openssl-libs-1:3.1.1-4.fc39.x86_64
RHSA-2024:0310         Low/Sec.       python3-libs-3.12.2-1.fc39.x86_64
"""

DNF5 = """
Name                   Type     Severity  Package                            Issued
FEDORA-2024-1a2b3c4d5e security Important openssl-libs-1:3.1.1-4.fc39.x86_64 2024-03-05 01:02:03
"""


def test_updates_without_those_that_replace_another_package() -> None:
    assert list(parse_updates(CHECK_UPDATE)) == [
        ("NetworkManager-libnm", "x86_64", "1:1.44.2-1.fc39"),
        ("python3-libs", "x86_64", "3.12.2-1.fc39"),
        ("tzdata", "noarch", "2024a-2.fc39"),
    ]


def test_advisories_of_both_generations() -> None:
    openssl = ("openssl-libs", "x86_64")
    assert list(parse_advisories(DNF4)) == [openssl, ("python3-libs", "x86_64")]
    assert list(parse_advisories(DNF5)) == [openssl]


def test_newest_repository_counts(tmp_path: Path) -> None:
    assert lists_updated(tmp_path) is None
    for number, name in enumerate(("fedora-0123", "updates-4567")):
        file = tmp_path / f"var/cache/dnf/{name}/repodata/repomd.xml"
        file.parent.mkdir(parents=True)
        file.touch()
        os.utime(file, (0, 1000 + number))
    (tmp_path / "var/cache/dnf/last_makecache").touch()
    assert lists_updated(tmp_path) == datetime.fromtimestamp(1001, UTC)


@given(st.text("a-1:. \n\tx_6", max_size=80))
def test_any_output_is_read(text: str) -> None:
    list(parse_updates(text))
    list(parse_advisories(text))
