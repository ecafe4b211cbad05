import gzip
import lzma
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.host import Package
from portward.survey.apt_lists import LISTS, pending, scan
from portward.survey.apt_pins import Pin, parse_preferences
from portward.survey.debian_version import compare

SITES = {
    "stable": ("deb.example_debian_dists_bookworm", "Suite: oldstable\nCodename: bookworm\n"),
    "security": (
        "security.example_debian-security_dists_bookworm-security",
        "Label: Debian-Security\nSuite: oldstable-security\nCodename: bookworm-security\n",
    ),
    "backports": (
        "deb.example_debian_dists_bookworm-backports",
        """Suite: oldstable-backports
Codename: bookworm-backports
NotAutomatic: yes
ButAutomaticUpgrades: yes
""",
    ),
    "experimental": (
        "deb.example_debian_dists_experimental",
        "Suite: experimental\nCodename: rc-buggy\nNotAutomatic: yes\n",
    ),
}


def paragraphs(versions: dict[str, str], architecture: str = "amd64") -> str:
    return "".join(
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nDescription: d\n"
        f"Filename: pool/{name}_{version}.deb\nSize: 1\nSHA256: {'0' * 64}\n\n"
        for name, version in versions.items()
    )


class Image:
    """A root with a dpkg database and lists of packages, which apt itself reads as well."""

    def __init__(self, root: Path, installed: dict[str, str]) -> None:
        self.root = root
        (root / LISTS / "partial").mkdir(parents=True)
        (root / "var/lib/dpkg").mkdir()
        (root / "etc/apt").mkdir(parents=True)
        text = paragraphs({"dpkg": "1.21", **installed})
        status = text.replace("Version:", "Status: install ok installed\nVersion:")
        (root / "var/lib/dpkg/status").write_text(status)
        self.sources = ""

    def offer(self, site: str, versions: dict[str, str], ending: str = "") -> None:
        prefix, head = SITES[site]
        server, path = prefix.split("_", 1)
        path, suite = path.split("_dists_")
        self.sources += f"deb [trusted=yes] http://{server}/{path} {suite} main\n"
        folder = self.root / LISTS
        (folder / f"{prefix}_Release").write_text(f"Origin: Example\n{head}SHA256:\n 0 0 x\n")
        data = paragraphs(versions).encode()
        packed = {"": data, ".gz": gzip.compress(data), ".xz": lzma.compress(data)}[ending]
        (folder / f"{prefix}_main_binary-amd64_Packages{ending}").write_bytes(packed)
        (self.root / "etc/apt/sources.list").write_text(self.sources)

    def prefer(self, text: str) -> None:
        (self.root / "etc/apt/preferences").write_text(text)

    def ours(self, target: str = "") -> dict[str, str]:
        return {update.package: update.candidate for update in pending(self.root, target)}

    def security(self) -> set[str]:
        return {update.package for update in pending(self.root, "") if update.security}

    def judged(self, target: str = "") -> dict[str, str]:
        """Ask apt itself which packages it would replace by which newer version."""
        options = [
            f"Dir={self.root}",
            f"Dir::State::status={self.root}/var/lib/dpkg/status",
            f"Dir::Cache={self.root}/cache",
            "Dir::Cache::pkgcache=",
            "Dir::Cache::srcpkgcache=",
            "APT::Architecture=amd64",
            "APT::Architectures=amd64",
            f"APT::Default-Release={target}",
        ]
        command = ["apt-cache", *(part for text in options for part in ("-o", text)), "policy"]
        status = (self.root / "var/lib/dpkg/status").read_text()
        names = re.findall(r"^Package: (.*)", status, re.MULTILINE)
        done = subprocess.run([*command, *names], capture_output=True, text=True, check=True)
        found = re.findall(
            r"^(\S+):\n  Installed: (\S+)\n  Candidate: (\S+)", done.stdout, re.MULTILINE
        )
        assert len(found) == len(names), done.stdout + done.stderr
        return {
            name: version for name, installed, version in found if compare(version, installed) > 0
        }


def test_candidates_are_those_of_apt(tmp_path: Path) -> None:
    same = dict.fromkeys(("old", "fixed", "both", "ahead", "kept", "only"), "2-1")
    image = Image(tmp_path, {**same, "port": "3~bpo12+1", "absent": "1"})
    image.offer("stable", {"old": "3-1", "fixed": "2-1", "both": "4", "ahead": "1-1", "port": "2"})
    image.offer("security", {"fixed": "2-1+deb12u1", "both": "3", "other": "9"}, ".gz")
    image.offer("backports", {"kept": "2-1", "port": "3~bpo12+2", "fixed": "9~bpo12+1"}, ".xz")
    image.offer("experimental", {"only": "5", "kept": "6", "old": "9"})
    assert image.ours() == image.judged()
    assert image.ours() == {
        "old": "3-1",
        "fixed": "2-1+deb12u1",
        "both": "4",
        "port": "3~bpo12+2",
    }
    assert image.security() == {"fixed", "both"}


@pytest.mark.parametrize(
    ("preferences", "target"),
    [
        ("Package: *\nPin: release a=experimental\nPin-Priority: 600\n", ""),
        ("Package: *\nPin: release n=bookworm, o=Example\nPin-Priority: -1\n", ""),
        ("Package: *\nPin: origin security.example\nPin-Priority: -10\n", ""),
        ("Package: one\nPin: version 5*\nPin-Priority: 990\n", ""),
        ("Package: one two\nPin: release c=main\nPin-Priority: 50\n", ""),
        ("Package: o*\nPin: release l=Debian-Security\nPin-Priority: 1\n", ""),
        ("Package: /^t/\nPin: release a=/back/\nPin-Priority: 700\n", ""),
        ("Package: one\nPin: release a=oldstable\nPin-Priority: 1001\n", ""),
        (
            """Explanation: the first
Package: *
Pin: release a=oldstable
Pin-Priority: -1

# a comment
Package: two
Pin: release a=oldstable
Pin-Priority: 900
""",
            "",
        ),
        ("", "bookworm-backports"),
        ("", "oldstable"),
        ("Package: one\nPin: release a=unheard-of\nPin-Priority: 1000\n", ""),
    ],
)
def test_pins_are_read_as_apt_reads_them(tmp_path: Path, preferences: str, target: str) -> None:
    image = Image(tmp_path, {"one": "2", "two": "2", "three": "2"})
    image.offer("stable", {"one": "1", "two": "3", "three": "2"})
    image.offer("security", {"one": "4", "two": "2.1", "three": "2.5"})
    image.offer("backports", {"one": "5", "two": "6", "three": "7"})
    image.offer("experimental", {"one": "8", "two": "9", "three": "9"})
    image.prefer(preferences)
    assert image.ours(target) == image.judged(target)


def test_stanza_that_is_none_is_left_out() -> None:
    text = "Package: a\nno stanza\n\nPackage: b\nPin: version 1\nPin-Priority: 5\n"
    assert list(parse_preferences(text)) == [Pin(("b",), "version", "1", 5)]


@given(st.text("Package:Pin-riorty relas=1\n*/", max_size=80))
def test_any_preferences_are_read(text: str) -> None:
    for pin in parse_preferences(text):
        assert isinstance(pin, Pin)


def test_list_that_only_apt_can_unpack(tmp_path: Path) -> None:
    image = Image(tmp_path, {"one": "1"})
    image.offer("stable", {"one": "2"})
    plain = next((tmp_path / LISTS).glob("*_Packages"))
    data = plain.read_bytes()
    # A frame of Zstandard with one raw block (RFC 8878).
    block = (len(data) << 3 | 1).to_bytes(3, "little")
    packed = b"\x28\xb5\x2f\xfd\x20" + bytes([len(data)]) + block + data
    plain.unlink()
    Path(f"{plain}.zst").write_bytes(packed)
    assert image.ours() == {"one": "2"}


def test_no_lists_is_an_error(tmp_path: Path) -> None:
    Image(tmp_path, {"one": "1"})
    with pytest.raises(FileNotFoundError):
        pending(tmp_path, "")


def test_package_that_became_independent_of_the_architecture(tmp_path: Path) -> None:
    image = Image(tmp_path, {"one": "1", "two": "1"})
    image.offer("stable", {"two": "2"})
    file = next((tmp_path / LISTS).glob("*_Packages"))
    with file.open("a") as list_:
        list_.write(paragraphs({"one": "2"}, "all") + paragraphs({"two": "3"}, "i386"))
    assert image.ours() == {"one": "2", "two": "2"}


@given(st.text("Package: Version\n12one", max_size=120))
def test_any_list_is_read(text: str) -> None:
    known = {("one", "amd64"): Package(name="one", version="1", architecture="amd64")}
    tail = "\n\nPackage: one\nVersion: 2\nArchitecture: all\n"
    assert list(scan((text + tail).encode(), known, "amd64"))[-1] == (("one", "amd64"), "2")
