"""Services of the super-servers inetd and xinetd, from their configuration."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from portward.model.host import InetdLine
from portward.model.net import MAX_PORT, Protocol
from portward.model.unknown import NEEDS_ROOT, Maybe, Unknown
from portward.survey import files

MAX_FILES = 1000


class Ports:
    """Port numbers of service names, from services(5)."""

    def __init__(self, text: str) -> None:
        """Read the file's text; aliases count as names."""
        self._numbers: dict[tuple[str, str], int] = {}
        for line in text.splitlines():
            fields = line.partition("#")[0].split()
            number, _, protocol = fields[1].partition("/") if len(fields) > 1 else ("", "", "")
            if number.isascii() and number.isdigit() and int(number) <= MAX_PORT:
                for name in (fields[0], *fields[2:]):
                    self._numbers.setdefault((name, protocol), int(number))

    def number(self, service: str, protocol: Protocol) -> int | None:
        """Return the port of a service given by name or number."""
        if service.isascii() and service.isdigit():
            return int(service) if len(service) <= 5 and int(service) <= MAX_PORT else None  # noqa: PLR2004 - digits of 65535
        return self._numbers.get((service, protocol))


class Line(NamedTuple):
    """One service that a super-server opens, before port and package are looked up."""

    file: str
    line: int
    service: str
    protocol: Protocol
    port: str
    """Name or number; xinetd may give a number apart from the service's name."""
    user: str
    program: str


class Parsed(NamedTuple):
    """The lines of a file, and what in it could not be understood."""

    lines: tuple[Line, ...]
    gaps: tuple[str, ...]


# --- inetd ----------------------------------------------------------------------------------

_PROTOCOLS = re.compile(r"(tcp|udp|sctp|dccp)(?:4|6|46|6only)?(?:,.*)?")
_INETD_FIELDS = 6


def parse_inetd(text: str, file: str) -> Parsed:
    """Read inetd.conf(5) as OpenBSD's, GNU inetutils' and BSD's inetd do.

    ``host:service type protocol wait user program arguments``. RPC services (``rpc/udp``) have
    no port of their own and unix sockets no port at all; both are left out.
    """
    lines: list[Line] = []
    gaps: list[str] = []
    for number, raw in enumerate(text.splitlines(), 1):
        fields = raw.partition("#")[0].split()
        if not fields or (len(fields) == 1 and fields[0].endswith(":")):
            continue  # "127.0.0.1:" alone sets the address of the lines that follow
        if len(fields) < _INETD_FIELDS:
            gaps.append(f"{file}:{number} is no line of inetd.conf and was skipped.")
            continue
        service, _, protocol, _, user, program = fields[:_INETD_FIELDS]
        if protocol.startswith(("rpc/", "unix")) or "/" in service:
            continue
        match = _PROTOCOLS.fullmatch(protocol)
        if not match:
            gaps.append(f"{file}:{number} has an unknown protocol and was skipped.")
            continue
        name = service.rpartition(":")[2]
        owner = re.split(r"[.:/]", user, maxsplit=1)[0]
        if program == "/usr/sbin/tcpd" and len(fields) > _INETD_FIELDS:
            program = fields[_INETD_FIELDS]
        lines.append(Line(file, number, name, Protocol(match[1]), name, owner, program))
    return Parsed(tuple(lines), tuple(gaps))


# --- xinetd ---------------------------------------------------------------------------------


class _Block(NamedTuple):
    """A ``service NAME { ... }`` or ``defaults { ... }`` of xinetd.conf(5)."""

    line: int
    name: str
    settings: dict[str, str]


class XinetdFile(NamedTuple):
    """What one file of xinetd holds."""

    file: str
    blocks: tuple[_Block, ...]
    includes: tuple[tuple[str, str], ...]
    """(``include`` or ``includedir``, path)."""
    gaps: tuple[str, ...]


_SETTING = re.compile(r"(\w+)\s*(=|\+=|-=)\s*(.*)")
_HEAD = re.compile(r"(?:service\s+(\S+)|(defaults))\s*(\{)?")


def parse_xinetd(text: str, file: str) -> XinetdFile:  # noqa: C901 - one branch a kind of line
    """Read one file of xinetd.conf(5) into blocks; broken lines become gaps."""
    blocks: list[_Block] = []
    includes: list[tuple[str, str]] = []
    gaps: list[str] = []
    block: _Block | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#") or line == "{":
            continue
        head = _HEAD.fullmatch(line)
        setting = _SETTING.fullmatch(line)
        words = line.split()
        if line == "}":
            if block:
                blocks.append(block)
            block = None
        elif head:
            block = _Block(number, head[1] or "", {})
        elif block is None and words[0] in {"include", "includedir"} and len(words) > 1:
            includes.append((words[0], words[1]))
        elif block is not None and setting:
            value = setting[3].strip()
            if setting[2] == "+=" and setting[1] in block.settings:
                value = f"{block.settings[setting[1]]} {value}"
            if setting[2] != "-=":
                block.settings[setting[1]] = value
        else:
            gaps.append(f"{file}:{number} is no line of xinetd's and was skipped.")
    if block:
        gaps.append(f"{file}:{block.line} opens a block that nothing closes; it was skipped.")
    return XinetdFile(file, tuple(blocks), tuple(includes), tuple(gaps))


def xinetd_lines(parsed: tuple[XinetdFile, ...]) -> tuple[Line, ...]:
    """Return the services that xinetd opens: not disabled, and enabled where a list says so."""
    defaults: dict[str, str] = {}
    for file in parsed:
        for block in file.blocks:
            if not block.name:
                defaults.update(block.settings)
    enabled = set(defaults["enabled"].split()) if "enabled" in defaults else None
    disabled = set(defaults.get("disabled", "").split())
    found = []
    for file in parsed:
        for block in file.blocks:
            settings = block.settings
            names = {block.name, settings.get("id", block.name)}
            kinds = set(settings.get("type", "").split())
            if (
                not block.name
                or settings.get("disable", "no").lower() in {"yes", "true", "on", "1"}
                or names & disabled
                or (enabled is not None and not names & enabled)
                or "RPC" in kinds
            ):
                continue
            protocol = settings.get("protocol", "").rstrip("46")
            if not protocol:
                protocol = "udp" if settings.get("socket_type") == "dgram" else "tcp"
            if protocol not in {"tcp", "udp"}:
                continue
            internal = "INTERNAL" in kinds
            found.append(
                Line(
                    file.file,
                    block.line,
                    block.name,
                    Protocol(protocol),
                    settings.get("port", block.name),
                    settings.get("user", "root"),
                    "internal" if internal else settings.get("server", "internal"),
                )
            )
    return tuple(found)


# --- the files ------------------------------------------------------------------------------


class Inetd(NamedTuple):
    """Every enabled line, and the lines and files that could not be read."""

    lines: tuple[InetdLine, ...]
    gaps: tuple[str, ...]


def inetd(root: Path, package: Callable[[str], Maybe[str | None]]) -> Maybe[Inetd]:
    """Read the configuration of inetd and xinetd; ``package`` names the package of a path."""
    gaps: list[str] = []
    try:
        parsed = _inetd_files(root, gaps)
        xinetd = _xinetd_files(root, gaps)
    except PermissionError:
        return NEEDS_ROOT
    except OSError as error:
        return Unknown(f"{error.filename}: {error.strerror}")
    found = [line for file in parsed for line in file.lines] + list(xinetd_lines(xinetd))
    gaps += [gap for file in parsed for gap in file.gaps]
    gaps += [gap for file in xinetd for gap in file.gaps]
    if not found:
        return Inetd((), tuple(gaps))
    try:
        ports = Ports(files.read_text(root, "/etc/services", 4 << 20))
    except OSError:
        ports = Ports("")
        gaps.append("Service names of inetd have no ports: /etc/services could not be read.")
    return Inetd(
        tuple(
            InetdLine(
                file=line.file,
                line=line.line,
                service=line.service,
                protocol=line.protocol,
                port=ports.number(line.port, line.protocol),
                user=line.user,
                program=line.program,
                package=package(line.program) if line.program.startswith("/") else None,
            )
            for line in found
        ),
        tuple(gaps),
    )


def _inetd_files(root: Path, gaps: list[str]) -> list[Parsed]:
    paths = ["/etc/inetd.conf"]
    paths += [f"/etc/inetd.d/{name}" for name in files.names(root, "/etc/inetd.d")[:MAX_FILES]]
    return [parse_inetd(text, path) for path, text in _texts(root, paths, gaps)]


def _xinetd_files(root: Path, gaps: list[str]) -> tuple[XinetdFile, ...]:
    waiting = ["/etc/xinetd.conf"]
    parsed: list[XinetdFile] = []
    seen: set[str] = set()
    while waiting and len(seen) < MAX_FILES:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        for _, text in _texts(root, [path], gaps):
            file = parse_xinetd(text, path)
            parsed.append(file)
            for how, target in file.includes:
                waiting += [target] if how == "include" else _included(root, target)
    return tuple(parsed)


def _included(root: Path, directory: str) -> list[str]:
    """List an includedir: xinetd skips names with a dot or a tilde at the end."""
    return [
        f"{directory.rstrip('/')}/{name}"
        for name in files.names(root, directory)
        if "." not in name and not name.endswith("~")
    ]


def _texts(root: Path, paths: list[str], gaps: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the text of each file that is there; one that is no text file hides no other."""
    for path in paths:
        try:
            yield path, files.read_text(root, path)
        except (FileNotFoundError, IsADirectoryError):
            continue
        except PermissionError:
            raise
        except OSError as error:
            gaps.append(f"{path} could not be read and was skipped: {error.strerror}.")
