"""What is known of a port, a service or a role, for ``portward explain``; pure."""

import re
from collections.abc import Iterator, Mapping

from portward.knowledge.words import did_you_mean
from portward.model.errors import UsageError
from portward.model.explanation import Explanation, Section
from portward.model.net import MAX_PORT, Protocol
from portward.model.service import Audience, Catalogue, Distribution, Encryption, Need, Service

_PORT = re.compile(r"(\d{1,5})(?:/([a-z]+))?")
_ENCRYPTION = {
    Encryption.NONE: "Nothing is encrypted.",
    Encryption.OPTIONAL: "Encryption is optional, and off unless it is configured.",
    Encryption.ALWAYS: "It is always encrypted.",
}
_AUDIENCE = {
    Audience.NOBODY: "Nobody should reach it.",
    Audience.HOST: "Only this host should reach it.",
    Audience.PRIVATE: "Only its owner's own networks should reach it.",
    Audience.ANYONE: "It is meant for anyone.",
}
_FOR = {
    Audience.NOBODY: "nobody",
    Audience.HOST: "this host",
    Audience.PRIVATE: "private networks",
    Audience.ANYONE: "anyone",
}


def port(text: str, catalogue: Catalogue, port_names: Mapping[str, str]) -> Explanation:
    """Explain ``137/udp``, ``137`` (every protocol), or ``ssh`` (the ports of that name).

    port_names are the system's own names: "22/tcp" -> "ssh". Raise UsageError for what is no port.
    """
    match = _PORT.fullmatch(text)
    if match is None:
        return _named_port(text, catalogue, port_names)
    number = int(match[1])
    protocols = [one for one in Protocol if match[2] in {None, one}]
    if not 0 < number <= MAX_PORT or not protocols:
        raise UsageError(f'"{text}" is no port', mend='write it like "137/udp" or "137"')
    services = [
        service
        for service in catalogue.services.values()
        if any((one, number) in ports for ports in service.ports for one in protocols)
    ]
    names = [
        f"{number}/{one}: {port_names[f'{number}/{one}']}"
        for one in protocols
        if f"{number}/{one}" in port_names
    ]
    hints = [
        f"{hint.name} ({hint.port}/{hint.protocol}): {hint.note}"
        for hint in catalogue.backdoors
        if hint.port == number and hint.protocol in protocols
    ]
    sections = [
        *(Section(_heading(service), tuple(_facts(service, catalogue))) for service in services),
        _list("Name in /etc/services", names),
        _list(
            "Weak hint (low confidence; the number alone proves nothing): also default of",
            hints,
        ),
    ]
    return Explanation(
        topic=text,
        summary=_port_summary(services, names),
        sections=tuple(section for section in sections if section.lines),
    )


def service(name: str, catalogue: Catalogue) -> Explanation:
    """Explain a service of the catalogue; raise UsageError with the nearest name otherwise."""
    found = catalogue.services.get(name)
    if found is None:
        raise UsageError(
            f'there is no service "{name}"', mend=did_you_mean(name, catalogue.services)
        )
    ports = ", ".join(map(str, found.ports)) or "no port of its own"
    sections = [
        Section("What it is", tuple(_facts(found, catalogue))),
        Section("Where it comes from", tuple(_origins(found))),
        _list(
            "For this host only",
            [f"{bind.program}: in {bind.file} write {_line(bind.setting)}" for bind in found.bind],
        ),
    ]
    return Explanation(
        topic=f"service {name}",
        summary=f"{found.title}: {ports}.",
        sections=tuple(section for section in sections if section.lines),
    )


def role(name: str, catalogue: Catalogue) -> Explanation:
    """Explain a role of the catalogue; raise UsageError with the nearest name otherwise."""
    found = catalogue.roles.get(name)
    if found is None:
        raise UsageError(f'there is no role "{name}"', mend=did_you_mean(name, catalogue.roles))
    needed = [_need(need, catalogue) for need in found.needs if not need.optional]
    optional = [_need(need, catalogue) for need in found.needs if need.optional]
    more = [
        *(["It passes packets on between networks."] if found.forwards else []),
        *(["Its interfaces take no IPv6 router advertisements."] if not found.autoconf else []),
        *(["Raw and packet sockets are its business."] if found.captures else []),
    ]
    sections = [
        _list("Needs", needed),
        _list("May have", optional),
        _list("Besides", more),
        Section("Nothing else", ("Every other port that others can reach is a finding.",)),
    ]
    return Explanation(
        topic=f"role {name}",
        summary=f"{found.title}. {found.summary}",
        sections=tuple(section for section in sections if section.lines),
    )


def _named_port(text: str, catalogue: Catalogue, port_names: Mapping[str, str]) -> Explanation:
    """Explain the service of a name, of the catalogue or else of /etc/services."""
    if text in catalogue.services:
        return service(text, catalogue)
    for number, name in port_names.items():
        if name.lower() == text:
            return port(number, catalogue, port_names)
    words = {*catalogue.services, *catalogue.roles, *port_names.values()}
    mend = did_you_mean(text, words) or 'name a port like "137/udp", a service, a role or a check'
    raise UsageError(f'nothing is known of "{text}"', mend=mend)


def _port_summary(services: list[Service], names: list[str]) -> str:
    if services:
        return f"Usually {' or '.join(service.title for service in services)}."
    if names:
        return "The catalogue does not know it; the system has a name for it."
    return "Nothing is known of it: look at the program that holds it."


def _heading(service: Service) -> str:
    return f"{service.name}: {service.title}"


def _facts(service: Service, catalogue: Catalogue) -> Iterator[str]:
    """Yield what matters of a service for deciding whether it may be open."""
    secrets = f" Readable on the way: {', '.join(service.secrets)}." if service.secrets else ""
    yield f"{_ENCRYPTION[service.encryption]}{secrets}"
    yield _AUDIENCE[service.audience]
    yield f"Risk: {service.risk}"
    yield f"Instead: {service.instead}"
    if service.replacement is not None:
        replacement = catalogue.services[service.replacement]
        ports = ", ".join(map(str, replacement.ports))
        yield f"Encrypted replacement: {replacement.name} ({ports})."
    if service.essential:
        yield "It is part of every machine's own housekeeping, so every role allows it."
    roles = [
        f"{role.name} (for {_FOR[need.audience]})"
        for role in catalogue.roles.values()
        for need in role.needs
        if need.service == service.name
    ]
    yield f"Roles that have it: {', '.join(roles) or 'none'}."


def _origins(service: Service) -> Iterator[str]:
    """Yield the programs, packages and units of a service."""
    if service.programs:
        yield f"- programs: {', '.join(service.programs)}"
    families: dict[str, Distribution] = {
        "Debian, Ubuntu": service.debian,
        "Fedora, RHEL": service.fedora,
        "the makers' own": service.upstream,
    }
    for family, names in families.items():
        if names.packages:
            yield f"- packages ({family}): {', '.join(names.packages)}"
        if names.units:
            yield f"- units ({family}): {', '.join(names.units)}"


def _line(setting: str) -> str:
    """Write a setting of several lines in one."""
    return " and ".join(line.strip() for line in setting.splitlines())


def _need(need: Need, catalogue: Catalogue) -> str:
    ports = ", ".join(map(str, catalogue.services[need.service].ports))
    return f"{need.service} ({ports}) for {_FOR[need.audience]}: {need.reason}"


def _list(heading: str, items: list[str]) -> Section:
    return Section(heading, tuple(f"- {item}" for item in items))
