from pathlib import Path

import pytest

from portward.model.unknown import Unknown
from portward.survey.packages import index, installed

HERE = Path("/")


def test_this_machine() -> None:
    found = installed(HERE)
    assert not isinstance(found, Unknown)
    assert {"dpkg", "libc6"} <= {package.name for package in found}
    assert index(HERE).owner("/usr/bin/dpkg") == "dpkg"
    assert index(HERE).owner("/usr/local/bin/of-nobody") is None


def test_no_database_is_unknown_not_none(tmp_path: Path) -> None:
    reason = Unknown("no dpkg or RPM database")
    assert installed(tmp_path) == reason
    assert index(tmp_path).owner("/usr/bin/dpkg") == reason


def test_unreadable_list_is_unknown(tmp_path: Path) -> None:
    info = tmp_path / "var/lib/dpkg/info"
    (info / "broken.list").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text("Package: x\n")
    found = index(tmp_path).owner("/usr/bin/x")
    assert isinstance(found, Unknown)
    assert "cannot be read" in found.reason


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/snap/lxd/24061/bin/lxd", "lxd"),
        ("/var/lib/snapd/snap/core20/1/usr/bin/x", "core20"),
        ("/var/lib/flatpak/app/org.example.App/x86_64/stable/abc/files/bin/app", "org.example.App"),
        ("/home/me/.local/share/flatpak/app/org.example.App/x86_64/s/a/f", "org.example.App"),
    ],
)
def test_snap_and_flatpak_are_packages(tmp_path: Path, path: str, name: str) -> None:
    assert index(tmp_path).owner(path) == name
