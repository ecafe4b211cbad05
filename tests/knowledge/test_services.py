"""Every service file loads, and what they say together makes sense."""

import tomllib
from pathlib import Path

import pytest

from portward.knowledge import catalogue
from portward.knowledge.recognise import is_interpreter
from portward.model.net import Ports, Protocol
from portward.model.service import Audience, Catalogue, Encryption, Service

FOLDER = Path(catalogue.__file__).parent / "services"
FILES = sorted(FOLDER.glob("*.toml"))
HOUSEKEEPING = {
    "chrony-control",
    "dhcp-client",
    "dhcpv6-client",
    "eapol",
    "resolver-stub",
    "router-discovery",
}
"""What every role allows without naming it, so a new one must be meant."""


@pytest.fixture(scope="module")
def known() -> Catalogue:
    return catalogue.load(Path("/nonexistent"))


def service_and_ports(known: Catalogue) -> list[tuple[Service, Ports]]:
    return [(service, ports) for service in known.services.values() for ports in service.ports]


def test_every_file_is_a_service_of_its_name(known: Catalogue) -> None:
    assert set(known.services) == {path.stem for path in FILES}
    assert len(FILES) >= 130


def test_clients_are_among_the_packages(known: Catalogue) -> None:
    for service in known.services.values():
        for names in (service.debian, service.fedora, service.upstream):
            assert set(names.clients) <= set(names.packages), service.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_sentences_are_one_sentence_each(path: Path) -> None:
    document = tomllib.loads(path.read_text())
    for key in ("risk", "instead"):
        sentence = document[key]
        assert sentence == sentence.strip()
        assert sentence.endswith(".")
        assert not sentence.endswith("..")
        assert "\n" not in sentence
        assert "\N{EM DASH}" not in sentence
        assert 10 <= len(sentence) <= 160


def test_every_title_is_of_one_service(known: Catalogue) -> None:
    told: dict[str, list[str]] = {}
    for name, service in known.services.items():
        told.setdefault(service.title, []).append(name)
    assert [names for names in told.values() if len(names) > 1] == []


def test_a_replacement_is_another_service_that_encrypts(known: Catalogue) -> None:
    for name, service in known.services.items():
        if service.replacement is not None:
            assert service.replacement != name
            assert known.services[service.replacement].encryption != Encryption.NONE, name


def test_what_always_encrypts_has_no_secrets_in_the_clear(known: Catalogue) -> None:
    for name, service in known.services.items():
        if service.encryption == Encryption.ALWAYS:
            assert service.secrets == (), name


def test_names_are_written_once_and_plainly(known: Catalogue) -> None:
    for name, service in known.services.items():
        for names in (
            service.programs,
            service.secrets,
            tuple(map(str, service.ports)),
            *(
                part
                for one in (service.debian, service.fedora, service.upstream)
                for part in (one.packages, one.units)
            ),
        ):
            assert len(set(names)) == len(names), name
            assert all(text == text.strip() != "" for text in names), name
        assert not any("/" in program for program in service.programs), name


def test_units_have_the_ending_of_their_kind(known: Catalogue) -> None:
    for name, service in known.services.items():
        for one in (service.debian, service.fedora, service.upstream):
            for unit in one.units:
                assert unit.endswith((".service", ".socket", ".path")), (name, unit)


def test_no_program_is_an_interpreter_or_the_service_manager(known: Catalogue) -> None:
    for name, service in known.services.items():
        for program in service.programs:
            assert not is_interpreter(program), name
            assert program not in {"systemd", "init"}, name


def test_a_service_can_be_recognised(known: Catalogue) -> None:
    for name, service in known.services.items():
        signs = (
            service.ports,
            service.programs,
            service.debian.units,
            service.fedora.units,
            service.upstream.units,
        )
        assert any(signs), name


def test_housekeeping_is_small_and_known(known: Catalogue) -> None:
    essential = {name for name, service in known.services.items() if service.essential}
    assert essential == HOUSEKEEPING
    assert all(known.services[name].audience != Audience.ANYONE for name in essential)


def test_a_setting_is_of_a_package_that_the_service_has(known: Catalogue) -> None:
    for name, service in known.services.items():
        packages = (*service.debian.packages, *service.fedora.packages, *service.upstream.packages)
        for bind in service.bind:
            assert bind.program in packages, name
            assert bind.file.startswith("/etc/"), name
            assert bind.setting.strip() == bind.setting != "", name


def test_few_services_claim_the_same_single_port(known: Catalogue) -> None:
    claims: dict[tuple[Protocol, int], list[str]] = {}
    for service, ports in service_and_ports(known):
        if ports.first == ports.last:
            claims.setdefault((ports.protocol, ports.first), []).append(service.name)
    assert {key: names for key, names in claims.items() if len(names) > 2} == {}


@pytest.mark.parametrize(
    ("port", "name"),
    [
        ("22/tcp", "ssh"),
        ("23/tcp", "telnet"),
        ("53/udp", "dns"),
        ("80/tcp", "http"),
        ("111/udp", "rpcbind"),
        ("137/udp", "netbios-ns"),
        ("443/udp", "https"),
        ("445/tcp", "smb"),
        ("631/udp", "cups-browsed"),
        ("2375/tcp", "docker-api"),
        ("5432/tcp", "postgresql"),
        ("5900/tcp", "vnc"),
        ("6000/tcp", "x11"),
        ("8080/tcp", "http-alt"),
        ("9090/tcp", "cockpit"),
        ("9100/tcp", "node-exporter"),
    ],
)
def test_the_number_alone_names_the_usual_service(known: Catalogue, port: str, name: str) -> None:
    wanted = Ports.parse(port)
    claims = [
        (ports.last - ports.first, service.name)
        for service, ports in service_and_ports(known)
        if (wanted.protocol, wanted.first) in ports
    ]
    assert min(claims)[1] == name


def test_backdoor_ports_are_few_and_each_has_its_doubt(known: Catalogue) -> None:
    hints = known.backdoors
    assert 0 < len(hints) <= 25
    assert len({(hint.protocol, hint.port, hint.name) for hint in hints}) == len(hints)
    for hint in hints:
        assert 0 < hint.port <= 65535
        assert hint.note.endswith(".")
