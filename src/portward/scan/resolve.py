"""From the words of targets to addresses: names are resolved, lists are read from files."""

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from portward.model.errors import UsageError
from portward.scan import targets
from portward.scan.look import Host
from portward.scan.targets import Name, Span

MAX_FILE_BYTES = 64 << 20


class Words(NamedTuple):
    """Targets as they were asked for."""

    targets: tuple[str, ...]
    files: tuple[Path, ...] = ()
    excluded: tuple[str, ...] = ()
    families: frozenset[int] = frozenset({4, 6})
    """4 and 6: which addresses of a name are meant."""
    authorised: bool = False


def hosts(words: Words) -> tuple[Host, ...]:
    """Return every address that is meant, once and in order; raise UsageError."""
    texts = [*words.targets]
    for file in words.files:
        texts += _listed(file)
    named: dict[bytes, str] = {}
    wanted: list[Span] = []
    for text in texts:
        found = targets.parse(text)
        if isinstance(found, Name):
            for packed, zone in _resolved(found.text, words.families):
                named.setdefault(packed, found.text)
                wanted.append(targets.single(packed, zone))
        else:
            wanted += found
    spans = targets.without(wanted, _spans(words.excluded, words.families))
    targets.expect_modest(spans, authorised=words.authorised)
    if not spans:
        raise UsageError("there is nothing to scan", mend="name a host, or a network")
    return tuple(
        Host(packed, zone, named.get(packed, "")) for packed, zone in targets.addresses(spans)
    )


def _spans(texts: Iterable[str], families: frozenset[int]) -> list[Span]:
    spans: list[Span] = []
    for text in texts:
        found = targets.parse(text)
        if isinstance(found, Name):
            spans += [targets.single(*one) for one in _resolved(found.text, families)]
        else:
            spans += found
    return spans


def _resolved(name: str, families: frozenset[int]) -> list[tuple[bytes, str]]:
    """Return the addresses of a name, each with its zone."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no name"
        raise UsageError(f'"{name}" has no address: {reason}') from None
    result: dict[tuple[bytes, str], None] = {}
    for family, _, _, _, address in found:
        text, _, zone = str(address[0]).partition("%")
        if (4 if family == socket.AF_INET else 6) in families:
            result[socket.inet_pton(family, text), zone] = None
    if not result:
        raise UsageError(f'"{name}" has no address of that family')
    return list(result)


def _listed(file: Path) -> list[str]:
    """Return the words of a file; what follows a # is a comment."""
    try:
        with Path("/dev/stdin" if str(file) == "-" else file).open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise UsageError(f"larger than {MAX_FILE_BYTES >> 20} MiB", where=str(file))
        lines = data.decode().splitlines()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(file)) from None
    except UnicodeDecodeError:
        raise UsageError("is not UTF-8 text", where=str(file)) from None
    return [word for line in lines for word in line.partition("#")[0].split()]
