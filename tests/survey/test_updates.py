import os
from datetime import UTC, datetime
from pathlib import Path

from portward.model.host import PendingUpdate
from portward.model.unknown import NOT_RUNNING, Unknown
from portward.survey.updates import updates


def put(root: Path, path: str, text: str = "") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def debian(root: Path) -> None:
    put(root, "usr/bin/apt-get")
    package = "Package: one\nVersion: {}\nArchitecture: amd64\n"
    put(root, "var/lib/dpkg/status", f"{package.format(1)}Status: install ok installed\n")
    lists = "var/lib/apt/lists/security.example_dists_demo-security"
    put(root, f"{lists}_InRelease", "Suite: demo-security\n")
    put(root, f"{lists}_main_binary-amd64_Packages", package.format(2))


def test_debian_image(tmp_path: Path) -> None:
    debian(tmp_path)
    for path in ("var/lib/apt/lists", "var/lib/apt/periodic/update-success-stamp"):
        stamp = tmp_path / path
        stamp.parent.mkdir(exist_ok=True)
        stamp.touch()
        os.utime(stamp, (0, 5000))
    found = updates(tmp_path)
    assert not isinstance(found, Unknown)
    assert found.manager == "apt"
    assert found.automatic is False
    assert found.lists_updated == datetime.fromtimestamp(5000, UTC)
    assert found.pending == (
        PendingUpdate(package="one", installed="1", candidate="2", security=True),
    )
    assert found.stale == NOT_RUNNING
    assert found.reboot_required == NOT_RUNNING


def test_image_without_lists_does_not_claim_to_be_up_to_date(tmp_path: Path) -> None:
    put(tmp_path, "usr/bin/apt-get")
    put(tmp_path, "var/lib/dpkg/status", "Package: one\nVersion: 1\n")
    (tmp_path / "var/lib/apt/lists").mkdir(parents=True)
    found = updates(tmp_path)
    assert not isinstance(found, Unknown)
    assert found.lists_updated is None
    assert found.pending == Unknown("no lists of packages")


def test_neither_apt_nor_dnf_is_unknown(tmp_path: Path) -> None:
    found = updates(tmp_path)
    assert not isinstance(found, Unknown)
    assert found.manager is None
    assert isinstance(found.automatic, Unknown)
    assert isinstance(found.pending, Unknown)
    assert isinstance(found.lists_updated, Unknown)


def test_this_machine() -> None:
    found = updates(Path("/"))
    assert not isinstance(found, Unknown)
    assert found.manager == "apt"
    assert found.automatic_reason
