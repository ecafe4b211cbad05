r"""The words of one rule of iptables-save: which match and which target has which options.

iptables-save quotes what is not made of letters, digits, ``_`` and ``-`` with double quotes, and
escapes ``"``, ``'`` and ``\`` there (xtables_save_string() of libxtables), which is not quite
what a shell does.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SHORT = {
    "--protocol": "-p",
    "--proto": "-p",
    "--source": "-s",
    "--src": "-s",
    "--destination": "-d",
    "--dst": "-d",
    "--in-interface": "-i",
    "--out-interface": "-o",
    "--fragments": "-f",
    "--fragment": "-f",
    "--match": "-m",
    "--jump": "-j",
    "--goto": "-g",
}
_HEADER = frozenset({"-p", "-s", "-d", "-i", "-o", "-f"})
_ANY_WORD = frozenset(
    {
        *("--comment", "--log-prefix", "--nflog-prefix", "--ulog-prefix", "--name", "--string"),
        *("--hex-string", "--hashlimit-name", "-m", "-j", "-g", "-i", "-o"),
    }
)
"""Options whose value may begin with a dash."""


class Option(NamedTuple):
    """One option with its values."""

    name: str
    negated: bool
    values: tuple[str, ...]

    @property
    def value(self) -> str:
        """The first value; ValueError where there is none."""
        if not self.values:
            raise ValueError(f"{self.name} needs a value")
        return self.values[0]


class Extension(NamedTuple):
    """A match or a target with its options."""

    name: str
    options: list[Option]

    def option(self, name: str) -> Option | None:
        """Return an option by its name."""
        return next((one for one in self.options if one.name == name), None)


class Words(NamedTuple):
    """A rule, sorted into its parts."""

    header: list[Option]
    """-p, -s, -d, -i, -o and -f."""
    matches: list[Extension]
    target: Extension | None
    goes: bool
    """The target is a chain that does not return here (-g)."""


def words(text: str) -> list[str]:
    """Split a line into its words; ValueError where a quote is not closed."""
    if '"' not in text:
        return text.split()
    if len(_WORD.sub("", text).strip()) > 0:
        raise ValueError("a quote is not closed")
    return [
        _ESCAPE.sub(r"\1", quoted) if plain == "" else plain
        for quoted, plain in _WORD.findall(text)
    ]


def sort(given: list[str]) -> Words:
    """Sort the words of a rule after its chain; ValueError where they make no sense."""
    found = Words([], [], None, goes=False)
    current: Extension | None = None
    for option in _options(given):
        if option.name in _HEADER:
            found.header.append(option)
        elif option.name == "-m":
            current = Extension(option.value, [])
            found.matches.append(current)
        elif option.name in {"-j", "-g"}:
            if found.target is not None:
                raise ValueError("has two targets")
            current = Extension(option.value, [])
            found = found._replace(target=current, goes=option.name == "-g")
        elif not option.name.startswith("--"):
            raise ValueError(f"{option.name} is no option of a rule")
        else:
            if current is None:  # "-p tcp --dport 22" implies "-m tcp"
                current = Extension(_protocol(found.header), [])
                found.matches.append(current)
            current.options.append(option)
    return found


def _options(given: list[str]) -> Iterator[Option]:
    at = 0
    while at < len(given):
        negated = given[at] == "!"
        at += negated
        name = given[at] if at < len(given) else ""
        if not name.startswith("-"):
            raise ValueError(f"{name!r} stands where an option should")
        name = _SHORT.get(name, name)
        at += 1
        end = at + 1 if name in _ANY_WORD else at
        while end < len(given) and given[end] != "!" and not given[end].startswith("-"):
            end += 1
        yield Option(name, negated, tuple(given[at:end]))
        at = end


def _protocol(header: list[Option]) -> str:
    name = next((one.value for one in header if one.name == "-p"), "")
    if not name:
        raise ValueError("has an option of no match")
    return name
