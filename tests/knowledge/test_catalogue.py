"""The catalogue: the package's own files, an administrator's, and the cache."""

import os
from pathlib import Path

import pytest

from portward import cache
from portward.knowledge import catalogue
from portward.knowledge.files import read
from portward.model.errors import KnowledgeError
from portward.model.service import Audience, Catalogue

SERVICE = """\
title = "Staging"
ports = ["8080/tcp", "9000-9010/udp"]
encryption = "none"
audience = "private"
risk = "r"
instead = "i"
"""
ROLE = """\
title = "Staging machine"
summary = "Shows what comes next."

[[needs]]
service = "https"
audience = "private"
reason = "testers look"
"""
ISSUE_ROLES = {
    "web-server", "mail-server", "mail-client", "dns-server", "dns-resolver", "database-server",
    "file-server", "print-server", "directory-server", "container-host", "hypervisor",
    "vpn-gateway", "router", "workstation", "remote-admin", "monitoring", "isolated",
}  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "directory", lambda: tmp_path / "cache")


def administrator(tmp_path: Path, **files: str) -> Path:
    """Write files like services__staging below a directory of an administrator."""
    for name, text in files.items():
        path = tmp_path / "etc" / f"{name.replace('__', '/').replace('_', '-')}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
        path.parent.chmod(0o755)
    return tmp_path / "etc"


def test_the_package_s_own_files_are_whole(tmp_path: Path) -> None:
    known = catalogue.load(tmp_path)
    assert len(known.services) >= 120
    assert known.roles.keys() >= ISSUE_ROLES
    assert known.backdoors


def test_no_role_lets_anyone_administer(tmp_path: Path) -> None:
    known = catalogue.load(tmp_path)
    reached = {
        need.audience
        for role in known.roles.values()
        for need in role.needs
        if need.service == "ssh"
    }
    assert reached == {Audience.PRIVATE}


def test_only_what_is_meant_for_anyone_is_for_anyone(tmp_path: Path) -> None:
    known = catalogue.load(tmp_path)
    wider = {
        (role.name, need.service)
        for role in known.roles.values()
        for need in role.needs
        if need.audience == Audience.ANYONE
        and known.services[need.service].audience != Audience.ANYONE
    }
    assert wider == {("dns-server", "dns"), ("vpn-gateway", "softether")}


def test_no_role_has_for_others_what_nobody_should_reach(tmp_path: Path) -> None:
    known = catalogue.load(tmp_path)
    for role in known.roles.values():
        for need in role.needs:
            assert known.services[need.service].audience != Audience.NOBODY, (role.name, need)


def test_an_administrator_adds_and_overrides(tmp_path: Path) -> None:
    extra = administrator(
        tmp_path, services__staging=SERVICE, services__telnet=SERVICE, roles__web_server=ROLE
    )
    known = catalogue.load(extra)
    assert [str(ports) for ports in known.services["staging"].ports] == [
        "8080/tcp",
        "9000-9010/udp",
    ]
    assert known.services["telnet"].title == "Staging"
    assert known.roles["web-server"].title == "Staging machine"
    assert "staging" not in catalogue.load(tmp_path / "nowhere").services


def test_a_change_is_seen_through_the_cache(tmp_path: Path) -> None:
    extra = administrator(tmp_path, services__staging=SERVICE)
    assert catalogue.load(extra) == catalogue.load(extra)
    assert (tmp_path / "cache/catalogue").exists()
    administrator(tmp_path, services__staging=SERVICE.replace("Staging", "Production"))
    assert catalogue.load(extra).services["staging"].title == "Production"
    (extra / "services/staging.toml").unlink()
    assert "staging" not in catalogue.load(extra).services


def test_a_damaged_cache_is_read_anew(tmp_path: Path) -> None:
    known = catalogue.load(tmp_path)
    kept = tmp_path / "cache/catalogue"
    kept.write_bytes(kept.read_bytes()[:-100])
    assert catalogue.load(tmp_path) == known


@pytest.mark.parametrize("mode", [0o664, 0o646])
@pytest.mark.parametrize("place", ["services/staging.toml", "services"])
def test_what_others_may_write_is_not_believed(tmp_path: Path, mode: int, place: str) -> None:
    extra = administrator(tmp_path, services__staging=SERVICE)
    (extra / place).chmod(mode | 0o111 if place == "services" else mode)
    with pytest.raises(KnowledgeError, match="may be written by others") as caught:
        catalogue.load(extra)
    assert caught.value.where == str(extra / place)


@pytest.mark.root
def test_what_another_user_owns_is_not_believed(tmp_path: Path) -> None:
    extra = administrator(tmp_path, roles__staging=ROLE)
    os.chown(extra / "roles/staging.toml", 65534, 65534)
    with pytest.raises(KnowledgeError, match="owned by another user"):
        catalogue.load(extra)


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    extra = administrator(tmp_path, services__staging=SERVICE)
    os.mkfifo(extra / "services/pipe.toml", 0o600)
    with pytest.raises(KnowledgeError, match="no regular file"):
        catalogue.load(extra)


def test_what_is_not_utf8_is_refused(tmp_path: Path) -> None:
    extra = administrator(tmp_path, services__staging=SERVICE)
    (extra / "services/staging.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(KnowledgeError, match="not UTF-8"):
        catalogue.load(extra)


HTTPS = SERVICE.replace("Staging", "HTTPS")


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        (
            "services/x.toml",
            SERVICE + 'porst = ["1/tcp"]',
            'x.toml:7: porst: unknown key (did you mean "ports"?)',
        ),
        (
            "services/x.toml",
            SERVICE.replace("8080/tcp", "8080"),
            'x.toml:2: ports[0]: "8080" is no port (write it like "22/tcp" or "6000-6063/tcp")',
        ),
        (
            "services/x.toml",
            SERVICE.replace("private", "privat"),
            'x.toml:4: audience: unknown word "privat" (did you mean "private"?)',
        ),
        (
            "services/x.toml",
            SERVICE + "[debian]\nunit = []",
            'x.toml:8: debian.unit: unknown key (did you mean "units"?)',
        ),
        (
            "services/x.toml",
            SERVICE + 'replacement = "htps"',
            'x.toml:7: replacement: there is no service "htps" (did you mean "https"?)',
        ),
        (
            "services/x.toml",
            'name = "y"\n' + SERVICE,
            "x.toml:1: name: the name is the file's (leave the key out)",
        ),
        (
            "services/X y.toml",
            SERVICE,
            'X y.toml:1: "X y" is no name (use small letters, digits and dashes)',
        ),
        (
            "services/x.toml",
            SERVICE.replace('risk = "r"\n', ""),
            'x.toml:1: the key "risk" is missing',
        ),
        (
            "services/x.toml",
            SERVICE.replace('["8080/tcp", "9000-9010/udp"]', '"1/tcp"'),
            "x.toml:2: ports: must be a list, not text in quotes",
        ),
        (
            "roles/x.toml",
            ROLE.replace('"https"', '"htps"'),
            'x.toml:5: needs[0].service: there is no service "htps" (did you mean "https"?)',
        ),
        (
            "roles/x.toml",
            ROLE.replace('audience = "private"', 'audience = "all"'),
            'x.toml:6: needs[0].audience: unknown word "all"',
        ),
        (
            "ports/x.toml",
            "[[backdoor]]\nport = 1",
            'x.toml:1: backdoor[0]: the key "protocol" is missing',
        ),
        ("ports/x.toml", "backdoor = 1", "x.toml:1: backdoor: must be a list, not a number"),
        ("roles/x.toml", "title = ", "x.toml:1: not TOML: invalid value"),
    ],
)
def test_every_mistake_has_file_line_and_key(path: str, text: str, message: str) -> None:
    with pytest.raises(KnowledgeError) as caught:
        read([("services/https.toml", HTTPS), (path, text)])
    assert str(caught.value).partition(" (one of")[0] == f"{path.partition('/')[0]}/{message}"


def test_a_role_may_need_nothing() -> None:
    known = read([("roles/island.toml", 'title = "t"\nsummary = "s"')])
    assert isinstance(known, Catalogue)
    assert known.roles["island"].needs == ()
