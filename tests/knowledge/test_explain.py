"""What is said of a port, a service, a role."""

from pathlib import Path

import pytest

from portward.knowledge import catalogue, explain
from portward.model.errors import UsageError
from portward.model.explanation import Explanation
from portward.model.net import Protocol
from portward.model.service import BackdoorPort, Catalogue

KNOWN = catalogue.load(Path("/nonexistent"))
NAMES = {"137/udp": "netbios-ns", "137/tcp": "netbios-ns", "4711/tcp": "trinket"}


def text(explanation: Explanation) -> str:
    lines = [line for section in explanation.sections for line in (section.heading, *section.lines)]
    return "\n".join([explanation.summary, *lines])


def test_a_port_of_the_catalogue() -> None:
    found = explain.port("137/udp", KNOWN, NAMES)
    service = KNOWN.services["netbios-ns"]
    assert found.topic == "137/udp"
    assert service.title in found.summary
    for part in (service.risk, service.instead, "137/udp: netbios-ns", "Roles that have it:"):
        assert part in text(found)


def test_a_number_means_every_protocol() -> None:
    found = explain.port("53", KNOWN, {"53/tcp": "domain", "53/udp": "domain"})
    assert {"- 53/tcp: domain", "- 53/udp: domain"} <= set(text(found).splitlines())


def test_a_name_of_the_catalogue_or_of_the_system() -> None:
    assert explain.port("ssh", KNOWN, {}) == explain.service("ssh", KNOWN)
    assert explain.port("trinket", KNOWN, NAMES).topic == "4711/tcp"
    assert "the system has a name" in explain.port("4711/tcp", KNOWN, NAMES).summary


def test_nothing_known_is_said() -> None:
    found = explain.port("4712/tcp", KNOWN, {})
    assert "Nothing is known" in found.summary
    assert found.sections == ()


def test_a_backdoor_port_is_a_weak_hint() -> None:
    hint = BackdoorPort(port=4712, protocol=Protocol.TCP, name="Evil", note="From 1999.")
    known = Catalogue(services={}, roles={}, backdoors=(hint,))
    found = explain.port("4712", known, {})
    assert "low confidence" in found.sections[0].heading
    assert found.sections[0].lines == ("- Evil (4712/tcp): From 1999.",)
    assert explain.port("4712/udp", known, {}).sections == ()


def test_a_cleartext_service_names_its_replacement() -> None:
    said = text(explain.service("telnet", KNOWN))
    assert "Nothing is encrypted." in said
    assert "Encrypted replacement: ssh (22/tcp)." in said
    assert "passwords" in said


@pytest.mark.parametrize("name", sorted(KNOWN.services))
def test_every_service_can_be_explained_in_single_lines(name: str) -> None:
    found = explain.service(name, KNOWN)
    assert found.topic == f"service {name}"
    assert all("\n" not in line for section in found.sections for line in section.lines)


@pytest.mark.parametrize("name", sorted(KNOWN.roles))
def test_every_role_names_all_its_needs(name: str) -> None:
    said = text(explain.role(name, KNOWN))
    assert all(f"- {need.service} (" in said for need in KNOWN.roles[name].needs)
    assert "Every other port" in said


@pytest.mark.parametrize("topic", ["0", "70000/tcp", "22/foo", "shh", "99999"])
def test_what_is_no_port_is_refused(topic: str) -> None:
    with pytest.raises(UsageError):
        explain.port(topic, KNOWN, NAMES)


def test_the_nearest_is_offered() -> None:
    with pytest.raises(UsageError, match='did you mean "telnet"'):
        explain.service("telent", KNOWN)
    for word in ("web-sever", "web"):
        with pytest.raises(UsageError, match='did you mean "web-server"'):
            explain.role(word, KNOWN)
    with pytest.raises(UsageError, match='did you mean "web-server"'):
        explain.port("websever", KNOWN, {})


def test_all_roles_are_named_where_none_is_near() -> None:
    with pytest.raises(UsageError, match=r"one of: backup-server, .*, workstation"):
        explain.role("xyzzy", KNOWN)


def test_what_can_be_asked_is_said_where_nothing_is_near() -> None:
    with pytest.raises(UsageError, match="name a port like"):
        explain.port("qqqqq", KNOWN, {})
