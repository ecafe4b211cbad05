import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from portward.model.host import Package
from portward.model.unknown import Unknown
from portward.survey import rpm
from portward.survey.packages import index, installed
from portward.survey.rpm import Rpm, parse_query

SPEC = """\
Name: {name}
Version: 1.2
Release: 3.fc40
{extra}
Summary: A package to be found
License: Apache-2.0
BuildArch: noarch
%description
It has a program and a unit.
%install
mkdir -p %{{buildroot}}/usr/sbin %{{buildroot}}/usr/lib/systemd/system
touch %{{buildroot}}/usr/sbin/{name}d %{{buildroot}}/usr/lib/systemd/system/{name}.service
%files
/usr/sbin/{name}d
/usr/lib/systemd/system/{name}.service
"""

PACKAGES = (
    Package(name="demo", version="4:1.2-3.fc40", architecture="noarch"),
    Package(name="plain", version="1.2-3.fc40", architecture="noarch"),
)

pytestmark = pytest.mark.root


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build two packages and install them in an image of their own, with RPM itself."""
    work = tmp_path_factory.mktemp("rpm")
    root = work / "image"
    (root / "var/lib/rpm").mkdir(parents=True)
    top = f"_topdir {work}/build"
    run("rpm", "--root", str(root), "--dbpath", "/var/lib/rpm", "--initdb")
    for name, extra in (("demo", "Epoch: 4"), ("plain", "")):
        spec = work / f"{name}.spec"
        spec.write_text(SPEC.format(name=name, extra=extra))
        run("rpmbuild", "-bb", "--define", top, str(spec))
        built = f"{work}/build/RPMS/noarch/{name}-1.2-3.fc40.noarch.rpm"
        run("rpm", "--root", str(root), "--dbpath", "/var/lib/rpm", "-i", "--nodeps", built)
    (root / "lib").symlink_to("usr/lib")
    (root / "usr/bin").mkdir()
    (root / "usr/bin/alias").symlink_to("/usr/sbin/demod")
    return root


def test_installed_packages_with_epoch(image: Path) -> None:
    assert installed(image) == PACKAGES


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("/usr/sbin/demod", "demo"),
        ("/usr/sbin/plaind", "plain"),
        ("/lib/systemd/system/plain.service", "plain"),
        ("/usr/bin/alias", "demo"),
        ("/usr/bin/demod", None),
        ("/usr/sbin/absent", None),
    ],
)
def test_owner(image: Path, path: str, package: str | None) -> None:
    assert index(image).owner(path) == package


def test_an_image_may_be_named_from_here(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(image.parent)
    assert installed(Path(image.name)) == PACKAGES


def test_the_survey_writes_nothing_beside_the_database(image: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in (image / "var/lib/rpm").iterdir()}
    installed(image)
    index(image).owner("/usr/sbin/demod")
    after = {file.name: file.stat().st_mtime_ns for file in (image / "var/lib/rpm").iterdir()}
    assert after == before


def test_the_tool_and_the_direct_way_say_the_same(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpm, "_SQLITE", "not here")
    monkeypatch.setattr(rpm, "_OLDER", ("rpmdb.sqlite",))
    assert installed(image) == PACKAGES
    assert index(image).owner("/lib/systemd/system/plain.service") == "plain"
    assert index(image).owner("/usr/sbin/absent") is None


def test_older_database_that_the_tool_does_not_know_is_unknown(tmp_path: Path) -> None:
    # RPM then takes an empty "dummy" database and exits with success.
    (tmp_path / "var/lib/rpm").mkdir(parents=True)
    (tmp_path / "var/lib/rpm/Packages.db").write_bytes(b"RpmP" + bytes(100))
    assert installed(tmp_path) == Unknown("an older RPM database that rpm cannot read here")


def test_damaged_database_is_unknown(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/rpm"
    folder.mkdir(parents=True)
    (folder / "rpmdb.sqlite").write_bytes(b"no database" * 100)
    found = installed(tmp_path)
    assert isinstance(found, Unknown)
    assert "RPM database cannot be read" in found.reason
    assert index(tmp_path).owner("/usr/bin/x") == found


def test_damaged_header_is_unknown(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/rpm"
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "rpmdb.sqlite") as connection:
        connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)")
        connection.execute("INSERT INTO Packages VALUES (1, x'00000001')")
    connection.close()
    assert installed(tmp_path) == Unknown("damaged package header")


def test_signing_keys_are_no_packages(image: Path) -> None:
    assert all(package.name != "gpg-pubkey" for package in Rpm(image).installed())


def test_what_dnf_protects_is_protected(image: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(image, tmp_path / "copy", symlinks=True)
    folder = copy / "etc/dnf/protected.d"
    folder.mkdir(parents=True)
    (folder / "demo.conf").write_text("demo\n")
    (folder / "plain.conf.rpmsave").write_text("plain\n")
    protected = {package.name: package.protected for package in Rpm(copy).installed()}
    assert protected == {"demo": True, "plain": False}


def test_query_without_source_and_architecture() -> None:
    assert list(parse_query("key\t1-2\t(none)\t(none)\nlib\t1-2\tx86_64\tmain-1-2.src.rpm\n")) == [
        Package(name="key", version="1-2", architecture=""),
        Package(name="lib", version="1-2", architecture="x86_64", source="main"),
    ]
