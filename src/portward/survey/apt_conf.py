"""The configuration of apt: its syntax, and its files in their order (apt.conf(5))."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from portward.survey.files import names, read_text

_MAIN = "etc/apt/apt.conf"
_PARTS = "etc/apt/apt.conf.d"
_MAX_INCLUDES = 10

# "#" starts a comment anywhere but in the two directives.
_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z)|\#(?!clear\b|include\b)[^\n]*)
      | "(?P<quoted>[^"]*)(?:"|\Z)
      | (?P<mark>[{};])
      | (?P<word>\#?(?:(?!//|/\*)[^\s"{};\#])+)""",
    re.VERBOSE | re.DOTALL,
)


class Statement(NamedTuple):
    """One assignment, or a directive where name is "#clear" or "#include"."""

    name: str
    """In full, as "APT::Periodic::Enable"; with "::" at the end it adds to a list."""
    value: str


def statements(text: str) -> Iterator[Statement]:
    """Read the statements of one file; what makes no sense is left out, as apt goes on too."""
    parents = [""]
    words: list[str] = []
    quoted = False
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind in {"quoted", "word"}:
            words.append(token[kind])
            quoted = kind == "quoted"
        if kind != "mark":
            continue
        mark = token["mark"]
        tag, value = _split(words, quoted=quoted, block=mark == "{")
        words = []
        parent = parents[-1]
        name = f"{parent}::{tag}" if parent and (tag or mark != "{") else tag or parent
        if tag in {"#clear", "#include"}:
            yield Statement(tag, value or "")
        elif value is not None and name.strip(":"):
            yield Statement(name, value)
        if mark == "{":
            parents.append(name)
        elif mark == "}" and len(parents) > 1:
            parents.pop()


def _split(words: list[str], *, quoted: bool, block: bool) -> tuple[str, str | None]:
    """Return the tag and the value of a statement's words; a lone word is a list's item."""
    if not words:
        return "", None
    if len(words) == 1:
        return (words[0], None) if block else ("", words[0])
    return words[0], " ".join(words[1:]) if quoted else words[1]


class Configuration:
    """What the statements come to; names are the same in any case."""

    def __init__(self) -> None:
        """Start empty."""
        self._values: dict[str, str] = {}
        self._lists: dict[str, list[str]] = {}
        self._files: dict[str, str] = {}

    def apply(self, statement: Statement, file: str = "") -> None:
        """Take in one assignment or "#clear" of a file."""
        name = statement.name.lower()
        if name == "#clear":
            gone = statement.value.lower().removesuffix("::")
            for kept in (self._values, self._lists, self._files):
                for key in [key for key in kept if key == gone or key.startswith(f"{gone}::")]:
                    del kept[key]
        elif name.endswith("::"):
            self._lists.setdefault(name.removesuffix("::"), []).append(statement.value)
        else:
            self._values[name] = statement.value
            self._files[name] = file

    def value(self, name: str, default: str = "") -> str:
        """Return the value of a name."""
        return self._values.get(name.lower(), default)

    def file(self, name: str) -> str | None:
        """Return the file that sets a name to its value; None where none does."""
        return self._files.get(name.lower())

    def items(self, name: str) -> tuple[str, ...]:
        """Return what a list holds."""
        return tuple(self._lists.get(name.lower(), ()))


def load(root: Path) -> Configuration:
    """Read the files that apt reads for every command, in its order; raise OSError."""
    configuration = Configuration()
    for path in [f"{_PARTS}/{name}" for name in names(root, _PARTS) if _is_part(name)] + [_MAIN]:
        _read(root, path, configuration, _MAX_INCLUDES)
    return configuration


def is_interval(value: str) -> bool:
    """Say whether a value of APT::Periodic lets its work be done: "always", "1", "12h", not "0"."""
    return value == "always" or re.fullmatch(r"0*[1-9][0-9]*[smhd]?", value) is not None


def _is_part(name: str) -> bool:
    """Say whether apt reads a file of this name: no ending or "conf", and no odd character."""
    return re.fullmatch(r"[A-Za-z0-9_-]+|[A-Za-z0-9_.-]+\.conf", name) is not None


def _read(root: Path, path: str, configuration: Configuration, depth: int) -> None:
    try:
        text = read_text(root, path)
    except FileNotFoundError:
        return
    for statement in statements(text):
        if statement.name != "#include":
            configuration.apply(statement, f"/{path.lstrip('/')}")
        elif depth:
            _read(root, statement.value, configuration, depth - 1)
