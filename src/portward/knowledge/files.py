"""Decode the TOML files of the catalogue; pure."""

import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import PurePath

from msgspec import Struct, to_builtins

from portward.knowledge.strict import Document
from portward.knowledge.words import did_you_mean
from portward.model.errors import KnowledgeError, PortwardError
from portward.model.net import Ports, Protocol
from portward.model.service import (
    Audience,
    BackdoorPort,
    Bind,
    Catalogue,
    Distribution,
    Encryption,
    Need,
    Role,
    Service,
)

_NAME = re.compile("[a-z0-9]+(?:-[a-z0-9]+)*")


class _Backdoors(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of ports/: a list of weak hints."""

    backdoor: tuple[BackdoorPort, ...]


def read(files: Iterable[tuple[str, str]]) -> Catalogue:
    """Read (path, text) of every file; a later one takes the place of one of the same name.

    The folder says what a file is. Raise KnowledgeError with file, line and key.
    """
    services: dict[str, tuple[Service, Document]] = {}
    roles: dict[str, tuple[Role, Document]] = {}
    backdoors: dict[str, tuple[BackdoorPort, ...]] = {}
    for path, text in files:
        place = PurePath(path)
        document = Document(text, path, KnowledgeError)
        if place.parent.name == "services":
            services[place.stem] = (_service(document, place.stem), document)
        elif place.parent.name == "roles":
            roles[place.stem] = (_role(document, place.stem), document)
        else:
            words = _words(_Backdoors, BackdoorPort, Protocol)
            backdoors[place.stem] = document.decode(_Backdoors, words).backdoor
    for service, document in services.values():
        if service.replacement is not None and service.replacement not in services:
            raise _no_service(document, ("replacement",), service.replacement, services)
    for role, document in roles.values():
        for index, need in enumerate(role.needs):
            if need.service not in services:
                raise _no_service(document, ("needs", index, "service"), need.service, services)
    return Catalogue(
        services={name: services[name][0] for name in sorted(services)},
        roles={name: roles[name][0] for name in sorted(roles)},
        backdoors=tuple(hint for name in sorted(backdoors) for hint in backdoors[name]),
    )


def _service(document: Document, name: str) -> Service:
    _set_name(document, name)
    ports = document.values.get("ports")
    if isinstance(ports, list):
        document.values["ports"] = [_ports(document, *item) for item in enumerate(ports)]
    words = _words(Service, Distribution, Bind, Encryption, Audience)
    return document.decode(Service, words)


def _role(document: Document, name: str) -> Role:
    _set_name(document, name)
    document.values.setdefault("needs", [])
    return document.decode(Role, _words(Role, Need, Audience))


def _set_name(document: Document, name: str) -> None:
    """Give a service or role the name of its file."""
    if not _NAME.fullmatch(name):
        raise document.fault((), f'"{name}" is no name', "use small letters, digits and dashes")
    if "name" in document.values:
        raise document.fault(("name",), "the name is the file's", "leave the key out")
    document.values["name"] = name


def _ports(document: Document, index: int, text: object) -> object:
    """Turn "22/tcp" to what msgspec takes for Ports; leave what is no text to msgspec's error."""
    if not isinstance(text, str):
        return text
    try:
        return to_builtins(Ports.parse(text))
    except PortwardError as wrong:
        raise document.fault(("ports", index), wrong.what, wrong.mend) from None


def _words(*kinds: type[Struct | StrEnum]) -> set[str]:
    """Return every key and word that may stand in a file of these kinds."""
    words: set[str] = set()
    for kind in kinds:
        words.update(kind.__struct_fields__ if issubclass(kind, Struct) else kind)
    return words - {"name"}


def _no_service(
    document: Document, path: tuple[str | int, ...], name: str, services: Iterable[str]
) -> PortwardError:
    return document.fault(path, f'there is no service "{name}"', did_you_mean(name, services))
