"""Which of several versions apt would take (apt_preferences(5); pure, no I/O)."""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cmp_to_key
from typing import NamedTuple

from portward.survey.debian_version import compare

# "Default priority assignments" of apt_preferences(5).
_INSTALLED = _AUTOMATIC_UPGRADES = 100
_NOT_AUTOMATIC = 1
_USUAL = 500
_TARGET = 990
_DOWNGRADE = 1000
"""From here on, apt goes back to an older version too."""

# The terms of "Pin: release", and the fields of a Release file that they mean.
_TERMS = {"a": "Suite", "n": "Codename", "o": "Origin", "l": "Label", "v": "Version"}

_FIELD = re.compile(r"^([A-Za-z-]+):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


class Archive(NamedTuple):
    """Where a version comes from: one list of a release."""

    server: str
    component: str
    fields: dict[str, str]
    """The head of its Release file."""

    @property
    def security(self) -> bool:
        """Say whether it is the security archive of Debian, Ubuntu or a derivative."""
        suites = (self.fields.get("Suite", ""), self.fields.get("Codename", ""))
        return self.fields.get("Label") == "Debian-Security" or any(
            suite.endswith("-security") for suite in suites
        )

    def priority(self, target: str) -> int:
        """Return the priority of its versions where no pin says otherwise."""
        if target and target in {self.fields.get(key) for key in ("Suite", "Codename", "Version")}:
            return _TARGET
        if self.fields.get("NotAutomatic") != "yes":
            return _USUAL
        upgrades = self.fields.get("ButAutomaticUpgrades") == "yes"
        return _AUTOMATIC_UPGRADES if upgrades else _NOT_AUTOMATIC


class Offer(NamedTuple):
    """A version that can be installed."""

    version: str
    archive: Archive


class Pin(NamedTuple):
    """One stanza of the preferences."""

    packages: tuple[str, ...]
    kind: str
    """"version", "origin" or "release"."""
    wanted: str
    priority: int

    def covers(self, package: str, offer: Offer) -> bool:
        """Say whether it speaks of this version of this package."""
        if not any(_like(name.partition(":")[0], package) for name in self.packages):
            return False
        if self.kind == "version":
            return _like(self.wanted, offer.version)
        if self.kind == "origin":
            return _like(self.wanted.strip('"'), offer.archive.server)
        return self.kind == "release" and all(
            _has(offer.archive, term.strip()) for term in self.wanted.split(",")
        )


def parse_preferences(text: str) -> Iterator[Pin]:
    """Read one preferences file; a stanza that is none is left out."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields = {key.lower(): value for key, value in _FIELD.findall(stanza)}
        kind, _, wanted = fields.get("pin", "").partition(" ")
        priority = re.fullmatch(r"[+-]?[0-9]{1,5}", fields.get("pin-priority", ""))
        if priority and wanted and "package" in fields:
            names = tuple(fields["package"].split())
            yield Pin(names, kind, wanted.strip(), int(priority[0]))


def candidate(
    package: str, installed: str, offers: Iterable[Offer], pins: Iterable[Pin], target: str
) -> str:
    """Return the version that apt would have installed: the present one, or another."""
    # A pin of a package by its name goes before one of every package, and the first wins.
    ordered = sorted(pins, key=lambda pin: "*" in pin.packages)
    priorities = {installed: _INSTALLED}
    for offer in offers:
        pin = next((pin for pin in ordered if pin.covers(package, offer)), None)
        priority = pin.priority if pin else offer.archive.priority(target)
        priorities[offer.version] = max(priority, priorities.get(offer.version, priority))
    able = [
        version
        for version, priority in priorities.items()
        if version == installed
        or (priority > 0 and (compare(version, installed) > 0 or priority >= _DOWNGRADE))
    ]
    best = max(priorities[version] for version in able)
    return max((v for v in able if priorities[v] == best), key=cmp_to_key(compare))


def _has(archive: Archive, term: str) -> bool:
    key, equals, wanted = term.partition("=")
    if not equals:
        return any(_like(term, archive.fields.get(_TERMS[key], "")) for key in "anv")
    if key == "c":
        return _like(wanted, archive.component)
    return key in _TERMS and _like(wanted, archive.fields.get(_TERMS[key], ""))


def _like(pattern: str, text: str) -> bool:
    """Match a name, a glob, or a regular expression between slashes."""
    if len(pattern) > 1 and pattern[0] == pattern[-1] == "/":
        try:
            return re.search(pattern[1:-1], text) is not None
        except re.error:
            return False
    return fnmatchcase(text, pattern)
