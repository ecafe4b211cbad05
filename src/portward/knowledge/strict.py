"""TOML read strictly: every mistake named with its file, line and key, nothing half-read.

tomllib gives the line of a syntax error but not of a key whose value is wrong. So the text is
cut into statements, each is read alone, and the first line of each is kept under the path of
the keys that it sets.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from portward.knowledge.words import did_you_mean
from portward.model.errors import PortwardError

T = TypeVar("T")
Path = tuple[str | int, ...]
"""The way to a value: ``("allow", 0, "from")``."""

_SYNTAX = re.compile(r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>\$.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_UNKNOWN_KEY = re.compile(r"^Object contains unknown field `(.*)`$", re.DOTALL)
_MISSING_KEY = re.compile(r"^Object missing required field `(.*)`$")
_BAD_WORD = re.compile(r"^Invalid enum value '(.*)'$", re.DOTALL)
_WRONG_TYPE = re.compile(r"^Expected `(.*)`, got `(.*)`$")
_TYPES = {
    "array": "a list",
    "bool": "true or false",
    "date": "a date without quotes like 2026-12-31",
    "datetime": "a date with a time",
    "float": "a number",
    "int": "a number",
    "object": "a table",
    "str": "text in quotes",
    "time": "a time",
}
"""What people call the types of TOML."""


class Document:
    """A TOML text, its values, and the line of every key."""

    def __init__(self, text: str, where: str, error: type[PortwardError]) -> None:
        """Read the text; raise the given kind of error, with a line, where it is no TOML."""
        self.text = text
        self.where = where
        self.error = error
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except (ValueError, RecursionError) as wrong:
            raise self._syntax(wrong) from None

    def fault(self, path: Path, what: str, mend: str = "") -> PortwardError:
        """Make the error for the value at path; the caller raises it."""
        key = spell(path)
        place = f"{self.where}:{self.line(path)}"
        return self.error(what, where=f"{place}: {key}" if key else place, mend=mend)

    def line(self, path: Path) -> int:
        """Say on which line path is set, or else the nearest thing around it."""
        lines = self._places
        for end in range(len(path), 0, -1):
            if path[:end] in lines:
                return lines[path[:end]]
        return 1

    @cached_property
    def _places(self) -> dict[Path, int]:
        """The first line of every key."""
        return dict(reversed(list(_lines(self.text))))

    def decode(self, kind: type[T], words: Iterable[str] = (), path: Path = ()) -> T:
        """Return the value at path as kind; words are all that the kind knows, for the mend."""
        value: Any = self.values
        for step in path:
            value = value[step]
        try:
            return msgspec.convert(value, kind, builtin_types=(datetime, date, time))
        except msgspec.ValidationError as wrong:
            raise self._invalid(str(wrong), words, path) from None

    def _invalid(self, message: str, words: Iterable[str], base: Path) -> PortwardError:
        """Turn what msgspec says into a line that a person can act on."""
        match = _PLACE.match(message)
        what, place = (match["what"], match["path"]) if match else (message, "")
        path = base + tuple(name or int(index) for name, index in _STEP.findall(place or ""))
        if unknown := _UNKNOWN_KEY.match(what):
            word = unknown[1]
            return self.fault((*path, word), "unknown key", did_you_mean(word, words))
        if missing := _MISSING_KEY.match(what):
            return self.fault(path, f'the key "{missing[1]}" is missing')
        if bad := _BAD_WORD.match(what):
            return self.fault(path, f'unknown word "{bad[1]}"', did_you_mean(bad[1], words))
        if wrong := _WRONG_TYPE.match(what):
            wanted, got = (_type_names(part) for part in wrong.groups())
            mend = (
                f"write [[{spell(path)}]]"
                if (wanted, got, len(path)) == ("a list", "a table", 1)
                else ""
            )
            return self.fault(path, f"must be {wanted}, not {got}", mend)
        return self.fault(path, what[:1].lower() + what[1:].replace("`", ""))

    def _syntax(self, wrong: Exception) -> PortwardError:
        match = _SYNTAX.match(str(wrong))
        if match is None:  # a number too long or nesting too deep for Python itself
            what = "nested too deeply" if isinstance(wrong, RecursionError) else str(wrong)
            return self.error(what, where=f"{self.where}:{_first_bad_line(self.text)}")
        line = match["line"] or max(1, self.text.count("\n") + 1)
        what = match["what"][:1].lower() + match["what"][1:]
        return self.error(f"not TOML: {what}", where=f"{self.where}:{line}")


def spell(path: Path) -> str:
    """Write a path as a person reads it: ``allow[0].from``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _type_names(part: str) -> str:
    """Say the types of msgspec's message in people's words."""
    return " or ".join(_TYPES.get(one, one) for one in part.split(" | ") if one != "null")


def _statements(text: str) -> Iterator[tuple[int, dict[str, Any], str]]:
    """Yield line number, value and text of every statement of a valid TOML text.

    A statement ends with a line; the first lines that can be read alone are one statement.
    """
    start, chunk = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        chunk += line + "\n"
        if line.endswith(",") and "#" not in line:
            continue  # inside a list, of perhaps thousands of lines: nothing ends with a comma
        try:
            value = tomllib.loads(chunk)
        except ValueError:
            continue
        yield start, value, chunk
        start, chunk = number + 1, ""


def _lines(text: str) -> Iterator[tuple[Path, int]]:
    """Yield the path of every key of a valid TOML text with the line of its statement."""
    table: Path = ()
    last: dict[Path, int] = {}  # path of an array of tables -> index of its newest table
    for line, value, chunk in _statements(text):
        head = chunk.lstrip()
        if not head.startswith("["):
            yield from ((table + path, line) for path in _walk(value))
            continue
        names = []
        inner: Any = value
        while isinstance(inner, dict) and inner:
            name, inner = next(iter(inner.items()))
            names.append(name)
        table = ()
        for name in names[:-1]:
            table += (name,)
            if table in last:
                table += (last[table],)
        table += (names[-1],)
        if head.startswith("[["):
            yield table, line
            last[table] = last.get(table, -1) + 1
            table += (last[table],)
        yield table, line


def _walk(value: object) -> Iterator[Path]:
    """Yield the path of everything inside value."""
    pairs: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for step, inner in pairs:
        yield (step,)
        yield from ((step, *path) for path in _walk(inner))


def _first_bad_line(text: str) -> int:
    """Return the number of the line up to which Python itself gives up on the text."""
    lines = text.split("\n")
    good, bad = 0, len(lines)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            tomllib.loads("\n".join(lines[:middle]))
        except tomllib.TOMLDecodeError:
            good = middle
        except (ValueError, RecursionError):
            bad = middle
        else:
            good = middle
    return bad
