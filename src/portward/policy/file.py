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
from portward.model.policy import Allowance, Outgoing, Policy, Profile, Sources, Suppression
from portward.model.service import Audience, Catalogue
from portward.policy.networks import prefix, width
from portward.policy.resolve import PRIVATE, Intent, find_role, resolve, sources

WIDE = {"any": Audience.ANYONE, PRIVATE: Audience.PRIVATE, "host": Audience.HOST}
"""Words of ``from`` that need no [networks]."""

_FINDING = re.compile(r"PW-[0-9a-f]{8}|[a-z0-9]+(?:-[a-z0-9]+)*")
_NETWORK = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WRITE_TO = 'write "any", "private", the name of a network, or a list of networks'
_WRITE_FROM = 'write "any", "private", "host", the name of a network, or a list of networks'


class _Allow(Struct, frozen=True, forbid_unknown_fields=True):
    """One [[allow]] table as written."""

    sources: str | list[str] = field(name="from")
    service: str | None = None
    port: str | None = None
    program: str | None = None
    reason: str | None = None
    until: date | None = None


class _Outgoing(Struct, frozen=True, forbid_unknown_fields=True):
    """One [[outgoing]] table as written."""

    to: str | list[str]
    service: str | None = None
    port: str | None = None
    reason: str | None = None


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
    outgoing: list[dict[str, object]] = []
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
            outgoing=tuple(
                _outgoing(document, index, networks, catalogue)
                for index in range(len(file.outgoing))
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
    _check_subject(document, path, allow, catalogue)
    if allow.program is not None and not allow.program.startswith("/"):
        raise document.fault(
            (*path, "program"), "is no full path", 'write it like "/usr/sbin/nginx"'
        )
    service = catalogue.services[allow.service] if allow.service is not None else None
    ports = _ports(document, path, allow, catalogue)
    if not ports and not (service and service.dynamic):
        raise document.fault((*path, "service"), "has no port of its own", 'add "port"')
    return Allowance(
        service=allow.service,
        ports=ports,
        sources=_whom(document, (*path, "from"), allow.sources, networks, _WRITE_FROM),
        program=allow.program,
        reason=allow.reason or "allowed by the policy",
        until=allow.until,
        origin=f"{document.where}:{document.line(path)}",
    )


def _check_subject(
    document: Document, path: Path, written: _Allow | _Outgoing, catalogue: Catalogue
) -> None:
    """Refuse a table that does not say what it is about, or names no service that there is."""
    if written.service is not None and written.service not in catalogue.services:
        what = f'there is no service "{written.service}"'
        raise document.fault(
            (*path, "service"), what, did_you_mean(written.service, catalogue.services)
        )
    if written.service is None and written.port is None:
        raise document.fault(path, 'neither "service" nor "port" says what is allowed')


def _ports(
    document: Document, path: Path, written: _Allow | _Outgoing, catalogue: Catalogue
) -> tuple[Ports, ...]:
    if written.port is not None:
        return (_port(document, (*path, "port"), written.port),)
    return catalogue.services[written.service].ports if written.service is not None else ()


def _port(document: Document, path: Path, text: str) -> Ports:
    try:
        return Ports.parse(text)
    except PortwardError as wrong:
        raise document.fault(path, wrong.what, wrong.mend) from None


def _whom(
    document: Document,
    path: Path,
    written: str | list[str],
    networks: dict[str, tuple[str, ...]],
    mend: str,
) -> Sources:
    """Read who is meant: a word, the name of a network, prefixes, or a list of the latter."""
    if isinstance(written, str) and written in WIDE:
        return sources(WIDE[written], networks)
    if not written:
        raise document.fault(path, "names nobody", mend)
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


def _outgoing(
    document: Document, index: int, networks: dict[str, tuple[str, ...]], catalogue: Catalogue
) -> Outgoing:
    """Read one [[outgoing]] table."""
    path = ("outgoing", index)
    words = _Outgoing.__struct_fields__
    if "to" not in document.values["outgoing"][index]:
        raise document.fault(path, 'the key "to" is missing', _WRITE_TO)
    outgoing = document.decode(_Outgoing, words, path)
    _check_subject(document, path, outgoing, catalogue)
    ports = _ports(document, path, outgoing, catalogue)
    if not ports:
        raise document.fault((*path, "service"), "has no port of its own", 'add "port"')
    to = _whom(document, (*path, "to"), outgoing.to, networks, _WRITE_TO)
    if to.audience == Audience.HOST:
        what = "this machine may always send to itself"
        raise document.fault((*path, "to"), what, _WRITE_TO)
    return Outgoing(
        service=outgoing.service,
        ports=ports,
        to=to,
        reason=outgoing.reason or "allowed by the policy",
        origin=f"{document.where}:{document.line(path)}",
    )


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
