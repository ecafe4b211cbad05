import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.unknown import NOT_RUNNING, Unknown
from portward.survey import antivirus as module
from portward.survey.antivirus import antivirus, parse_built

HEAD = b"ClamAV-VDB:07 Jan 2024 04-21 -0500:27147:2050000:90:x:y:raynman:1704619281"
BUILT = datetime(2024, 1, 7, 9, 21, tzinfo=UTC)


def put(root: Path, path: str, data: bytes = b"") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def test_nothing_is_there(tmp_path: Path) -> None:
    assert antivirus(tmp_path) == ()


def test_clamav_says_itself_when_its_newest_database_was_built(tmp_path: Path) -> None:
    put(tmp_path, "usr/sbin/clamd")
    put(tmp_path, "var/lib/clamav/daily.cld", HEAD.ljust(512))
    put(tmp_path, "var/lib/clamav/main.cvd", HEAD.replace(b"2024", b"2021").ljust(512))
    put(tmp_path, "var/lib/clamav/freshclam.dat", b"no database")
    found = antivirus(tmp_path)
    assert not isinstance(found, Unknown)
    assert [(scanner.name, scanner.signatures_updated) for scanner in found] == [("clamav", BUILT)]
    assert found[0].running == NOT_RUNNING


def test_clamav_without_any_database(tmp_path: Path) -> None:
    put(tmp_path, "usr/bin/clamscan")
    found = antivirus(tmp_path)
    assert not isinstance(found, Unknown)
    assert found[0].signatures_updated is None


def test_others_by_the_age_of_their_files_or_not_at_all(tmp_path: Path) -> None:
    put(tmp_path, "usr/bin/rkhunter")
    os.utime(put(tmp_path, "var/lib/rkhunter/db/mirrors.dat"), (0, BUILT.timestamp()))
    put(tmp_path, "opt/CrowdStrike/falcond")
    found = antivirus(tmp_path)
    assert not isinstance(found, Unknown)
    assert {scanner.name: scanner.signatures_updated for scanner in found} == {
        "rkhunter": BUILT,
        "crowdstrike-falcon": Unknown("it does not tell"),
    }


@pytest.mark.root
def test_daemon_is_known_by_the_file_it_runs(tmp_path: Path) -> None:
    scanner = module.Scanner("demo", ("bin",), ("portward-test-daemon",))
    daemon = shutil.copy(shutil.which("sleep") or "", tmp_path / "portward-test-daemon")
    assert module._runs(scanner) is not True
    with subprocess.Popen(["another-name", "60"], executable=daemon) as process:
        try:
            assert module._runs(scanner) is True
        finally:
            process.kill()


@given(st.binary(max_size=80) | st.binary(max_size=30).map(lambda tail: b"ClamAV-VDB:" + tail))
def test_any_header_is_read(data: bytes) -> None:
    assert parse_built(data) is None


def test_header_with_an_impossible_day() -> None:
    assert parse_built(HEAD.replace(b"07 Jan", b"32 Jan")) is None
