"""Read the policy file; pure.

Every mistake is a PolicyError with file, line and key, and nothing is half-read: a policy that
was misunderstood would close the wrong ports.
"""

import re
from datetime import date

from msgspec import Struct, field

from portward.knowledge.strict import Document, Path
from portward.knowledge.words import did_you_mean
from portward.model.errors import PolicyError, PortwardError
from portward.model.net import Ports
from portward.model.policy import Allowance, Policy, Profile, Sources, Suppression
from portward.model.service import Audience, Catalogue
from portward.policy.networks import prefix, width
from portward.policy.resolve import PRIVATE, Intent, find_role, resolve, sources

WIDE = {"any": Audience.ANYONE, PRIVATE: Audience.PRIVATE, "host": Audience.HOST}
"""Words of ``from`` that need no [networks]."""

_FINDING = re.compile(r"PW-[0-9a-f]{8}|[a-z0-9]+(?:-[a-z0-9]+)*")
_NETWORK = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WRITE_FROM = 'write "any", "private", "host", the name of a network, or a list of networks'


class _Allow(Struct, frozen=True, forbid_unknown_fields=True):
    """One [[allow]] table as written."""

    sources: str | list[str] = field(name="from")
    service: str | None = None
    port: str | None = None
    program: str | None = None
    reason: str | None = None
    until: date | None = None


class _Suppress(Struct, frozen=True, forbid_unknown_fields=True):
    """One [[suppress]] table as written."""

    finding: str
    reason: str
    until: date


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file as written."""

    roles: list[str]
    profile: Profile = Profile.SERVER
    automatic_updates: bool = False
    networks: dict[str, object] = {}
    allow: list[dict[str, object]] = []
    suppress: list[dict[str, object]] = []


def parse(text: str, where: str, catalogue: Catalogue) -> Policy:
    """Return the policy that a file holds; raise PolicyError with file, line and key."""
    document = Document(text, where, PolicyError)
    file = document.decode(_File, {*_File.__struct_fields__, *Profile})
    _check_roles(document, file.roles, catalogue)
    networks = {name: _network(document, name) for name in file.networks}
    return resolve(
        Intent(
            roles=tuple(file.roles),
            profile=file.profile,
            networks=networks,
            automatic_updates=file.automatic_updates,
            allow=tuple(
                _allow(document, index, networks, catalogue) for index in range(len(file.allow))
            ),
            suppressions=tuple(_suppress(document, index) for index in range(len(file.suppress))),
            source=where,
        ),
        catalogue,
    )


def _check_roles(document: Document, roles: list[str], catalogue: Catalogue) -> None:
    if not roles:
        raise document.fault(("roles",), "names no role", 'a machine for nothing is "isolated"')
    for index, name in enumerate(roles):
        path = ("roles", index)
        try:
            find_role(name, catalogue)
        except PolicyError as wrong:
            raise document.fault(path, wrong.what, wrong.mend) from None
        if name in roles[:index]:
            raise document.fault(path, f'role "{name}" is named twice')


def _network(document: Document, name: str) -> tuple[str, ...]:
    """Read one line of [networks]."""
    path = ("networks", name)
    if name in WIDE and name != PRIVATE:
        raise document.fault(path, f'"{name}" has a meaning already', "choose another name")
    if not _NETWORK.fullmatch(name):
        raise document.fault(path, "a name has letters, digits, - and _, a letter first")
    written = document.values["networks"][name]
    listed = written if isinstance(written, str) else document.decode(list[str], path=path)
    if not listed:
        raise document.fault(path, "names no network")
    return _prefixes(document, path, listed)


def _prefixes(document: Document, path: Path, listed: str | list[str]) -> tuple[str, ...]:
    items = [(path, listed)] if isinstance(listed, str) else _each(path, listed)
    return tuple(dict.fromkeys(_prefix(document, *item) for item in items))


def _each(path: Path, listed: list[str]) -> list[tuple[Path, str]]:
    return [((*path, index), text) for index, text in enumerate(listed)]


def _prefix(document: Document, path: Path, text: str) -> str:
    try:
        return prefix(text)
    except PolicyError as wrong:
        raise document.fault(path, wrong.what, wrong.mend) from None


def _allow(
    document: Document, index: int, networks: dict[str, tuple[str, ...]], catalogue: Catalogue
) -> Allowance:
    """Read one [[allow]] table."""
    path = ("allow", index)
    words = {str(name) for name in _Allow.__struct_encode_fields__}
    if "from" not in document.values["allow"][index]:
        raise document.fault(path, 'the key "from" is missing', _WRITE_FROM)
    allow = document.decode(_Allow, words, path)
    if allow.service is not None and allow.service not in catalogue.services:
        what = f'there is no service "{allow.service}"'
        raise document.fault(
            (*path, "service"), what, did_you_mean(allow.service, catalogue.services)
        )
    if allow.service is None and allow.port is None:
        raise document.fault(path, 'neither "service" nor "port" says what is allowed')
    if allow.program is not None and not allow.program.startswith("/"):
        raise document.fault(
            (*path, "program"), "is no full path", 'write it like "/usr/sbin/nginx"'
        )
    service = catalogue.services[allow.service] if allow.service is not None else None
    ports = service.ports if service else ()
    if allow.port is not None:
        ports = (_port(document, (*path, "port"), allow.port),)
    if not ports and not (service and service.dynamic):
        raise document.fault((*path, "service"), "has no port of its own", 'add "port"')
    return Allowance(
        service=allow.service,
        ports=ports,
        sources=_from(document, (*path, "from"), allow.sources, networks),
        program=allow.program,
        reason=allow.reason or "allowed by the policy",
        until=allow.until,
        origin=f"{document.where}:{document.line(path)}",
    )


def _port(document: Document, path: Path, text: str) -> Ports:
    try:
        return Ports.parse(text)
    except PortwardError as wrong:
        raise document.fault(path, wrong.what, wrong.mend) from None


def _from(
    document: Document,
    path: Path,
    written: str | list[str],
    networks: dict[str, tuple[str, ...]],
) -> Sources:
    """Read who may reach it: a word, the name of a network, prefixes, or a list of the latter."""
    if isinstance(written, str) and written in WIDE:
        return sources(WIDE[written], networks)
    if not written:
        raise document.fault(path, "names nobody", _WRITE_FROM)
    found: dict[str, None] = {}
    for step, text in [(path, written)] if isinstance(written, str) else _each(path, written):
        if text in networks:
            found.update(dict.fromkeys(networks[text]))
        elif text in WIDE:
            raise document.fault(step, f'"{text}" stands alone, not in a list')
        elif _NETWORK.fullmatch(text):
            what = f'there is no network "{text}" under [networks]'
            raise document.fault(step, what, did_you_mean(text, {*networks, *WIDE}))
        else:
            found[_prefix(document, step, text)] = None
    label = written if isinstance(written, str) else ", ".join(written)
    prefixes = tuple(found)
    return Sources(audience=width(prefixes), networks=prefixes, label=label)


def _suppress(document: Document, index: int) -> Suppression:
    """Read one [[suppress]] table."""
    path = ("suppress", index)
    suppress = document.decode(_Suppress, _Suppress.__struct_fields__, path)
    if not _FINDING.fullmatch(suppress.finding):
        mend = 'write it like "PW-1f2e3d4c" or "open-not-allowed"'
        what = f'"{suppress.finding}" is no id of a finding or a check'
        raise document.fault((*path, "finding"), what, mend)
    if not suppress.reason.strip():
        raise document.fault((*path, "reason"), "says nothing", "say why it may stay")
    return Suppression(
        finding=suppress.finding,
        reason=suppress.reason,
        until=suppress.until,
        origin=f"{document.where}:{document.line(path)}",
    )
