import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.survey.dpkg import Diversion, Dpkg, parse_diversions, parse_status, table

HERE = Path("/")


def judge(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def image(root: Path, lists: dict[str, list[str]], diversions: str = "") -> Dpkg:
    info = root / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text("Package: x\nStatus: install ok installed\n")
    (root / "var/lib/dpkg/diversions").write_text(diversions)
    for name, paths in lists.items():
        (info / f"{name}.list").write_text("".join(f"{path}\n" for path in ("/.", *paths)))
    return Dpkg(root)


def test_installed_packages_are_those_that_dpkg_query_shows() -> None:
    form = "${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\n"
    rows = [line.split("\t") for line in judge("dpkg-query", "-W", "-f", form).splitlines()]
    expected = {tuple(row[1:]) for row in rows if row[0] == "installed"}
    found = {
        (package.name, package.version, package.architecture, package.source or package.name)
        for package in Dpkg(HERE).installed()
    }
    assert expected
    assert found == expected


@pytest.mark.parametrize("directory", ["/usr/sbin", "/usr/bin", "/usr/lib/systemd/system"])
def test_owners_are_those_that_dpkg_names(directory: str) -> None:
    dpkg = Dpkg(HERE)
    files = [
        file
        for file in sorted(Path(directory).iterdir())
        if file.is_file() and not file.is_symlink()  # directories belong to many packages
    ][::7]
    asked = [str(file) for file in files]
    asked += [path.removeprefix("/usr") for path in asked]
    expected: dict[Path, set[str]] = {}
    diverted: dict[Path, set[str]] = {}
    for line in judge("dpkg", "-S", *asked).splitlines():
        packages, _, path = line.rpartition(": ")
        names = {name.partition(":")[0] for name in packages.split(", ")}
        if not line.startswith("diversion by"):
            expected[Path(path).resolve()] = names
        elif packages.endswith(" from"):
            # Others list the path as well; what lies there is the file of the one who diverts.
            diverted[Path(path).resolve()] = {packages.split()[2]}
    assert files
    for file in files:
        owner = dpkg.owner(str(file))
        listed = expected.get(file, {None})
        assert {owner} == listed & diverted.get(file, listed), file


def test_both_spellings_of_a_merged_usr_find_the_package(tmp_path: Path) -> None:
    dpkg = image(tmp_path, {"old": ["/sbin/old"], "new:amd64": ["/usr/sbin/new"]})
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "sbin").symlink_to("usr/sbin")
    for name in ("old", "new"):
        assert dpkg.owner(f"/usr/sbin/{name}") == name
        assert dpkg.owner(f"/sbin/{name}") == name


def test_two_files_of_an_unmerged_usr_stay_two(tmp_path: Path) -> None:
    dpkg = image(tmp_path, {"real": ["/sbin/tool"]})
    for directory in ("sbin", "usr/sbin"):
        (tmp_path / directory).mkdir(parents=True)
    assert dpkg.owner("/sbin/tool") == "real"
    assert dpkg.owner("/usr/sbin/tool") is None


def test_alternative_belongs_to_the_package_it_points_to(tmp_path: Path) -> None:
    dpkg = image(tmp_path, {"nano": ["/usr/bin/nano"], "link": ["/usr/bin/own"]})
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "etc/alternatives").mkdir(parents=True)
    (tmp_path / "usr/bin/nano").touch()
    (tmp_path / "usr/bin/editor").symlink_to("/etc/alternatives/editor")
    (tmp_path / "etc/alternatives/editor").symlink_to("/usr/bin/nano")
    (tmp_path / "usr/bin/own").symlink_to("nano")
    assert dpkg.owner("/usr/bin/editor") == "nano"
    assert dpkg.owner("/usr/bin/own") == "link"


def test_diverted_files_keep_their_packages(tmp_path: Path) -> None:
    lists = {"first": ["/usr/bin/a", "/usr/bin/b"], "second": ["/usr/bin/a"]}
    diversions = "/usr/bin/a\n/usr/bin/a.first\nsecond\n/usr/bin/b\n/usr/bin/b.real\n:\n"
    dpkg = image(tmp_path, lists, diversions)
    assert dpkg.owner("/usr/bin/a") == "second"
    assert dpkg.owner("/usr/bin/a.first") == "first"
    assert dpkg.owner("/usr/bin/b") is None, "the administrator put it there"
    assert dpkg.owner("/usr/bin/b.real") == "first"


def test_image_without_dpkg_itself_has_lists_of_checksums(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/dpkg/status.d"
    folder.mkdir(parents=True)
    (folder / "base").write_text("Package: base\nVersion: 1\nArchitecture: all\n")
    (folder / "base.md5sums").write_text(f"{'0' * 32}  usr/bin/tool\n")
    dpkg = Dpkg(tmp_path)
    assert dpkg.present()
    assert [package.name for package in dpkg.installed()] == ["base"]
    assert dpkg.owner("/usr/bin/tool") == "base"
    assert dpkg.owner("/usr/bin/other") is None


def test_removed_package_with_configuration_left_is_not_installed() -> None:
    text = "\n\n".join(
        f"Package: p{number}\nStatus: {status}\nVersion: 1-{number}\nSource: src (1)"
        for number, status in enumerate(
            (
                "install ok installed",
                "hold ok installed",
                "deinstall ok config-files",
                "install ok half-configured",
                "purge ok not-installed",
                "install reinstreq half-installed",
            )
        )
    )
    found = list(parse_status(text.encode()))
    assert [package.name for package in found] == ["p0", "p1", "p3"]
    assert {package.source for package in found} == {"src"}


def test_diversions_cut_short_lose_only_the_last() -> None:
    assert parse_diversions("/a\n/b\np\n/c\n/d\n") == (Diversion("/a", "/b", "p"),)


@given(st.binary(max_size=400))
def test_any_bytes_are_some_status(data: bytes) -> None:
    list(parse_status(data))
    list(parse_status(b"Package: a\nStatus: install ok installed\n" + data))


@given(st.lists(st.lists(st.binary(min_size=1, max_size=9), max_size=5), max_size=5), st.data())
def test_table_finds_every_path(lists: list[list[bytes]], data: st.DataObject) -> None:
    named = {f"l{number}": b"\n".join(paths) for number, paths in enumerate(lists)}
    built = table(named.items())
    everything = [path for paths in named.values() for path in paths.splitlines()]
    if everything:
        path = data.draw(st.sampled_from(everything))
        expected = {name for name, paths in named.items() if path in paths.splitlines()}
        assert expected <= set(built.find(path))
