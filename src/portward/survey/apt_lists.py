"""Which newer versions apt's own lists of packages know (files below /var/lib/apt/lists)."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from portward import cache
from portward.model.host import Package, PendingUpdate
from portward.survey import dpkg
from portward.survey.apt_pins import Archive, Offer, Pin, candidate, parse_preferences
from portward.survey.debian_version import compare
from portward.survey.files import decoded, locate, names, read_bytes, read_text
from portward.survey.tools import MAX_BYTES, ToolError, output

if TYPE_CHECKING:
    from io import BufferedIOBase

LISTS = "var/lib/apt/lists"
_PREFERENCES = "etc/apt/preferences"
_HELPER = "/usr/lib/apt/apt-helper"
"""Reads every compression that apt may keep its lists in."""
_SECONDS = 30

_LIST = re.compile(r"(?:_([^_]+)_binary-[^_]+)?_Packages(\.[a-z0-9]+)?$")
_HEAD = re.compile(r"^([A-Za-z-]+): (.*)$", re.MULTILINE)
_VERSION = re.compile(rb"\nVersion: *([^\n]*)")
_ARCHITECTURE = re.compile(rb"\nArchitecture: *([^\n]*)")

Known = dict[tuple[str, str], Package]
"""Installed packages by name and architecture; "all" counts as the machine's own, as for apt."""


def pending(root: Path, target: str) -> tuple[PendingUpdate, ...]:
    """Return every installed package that apt would replace by a newer version.

    Target is APT::Default-Release. A security update is one where any version newer than the
    installed one stands in a security archive. A package on hold is named too: holding it back
    does not mend it. Raise OSError or ToolError where the lists cannot be read; there being
    none is FileNotFoundError.
    """
    lists = [name for name in names(root, LISTS) if _LIST.search(name)]
    if not lists:
        raise FileNotFoundError("no lists of packages")
    if root != Path("/"):
        return _pending(root, target, lists)
    # Reading 40 MB of lists takes most of a second; they change once a day.
    key = _key(root, target)
    found = cache.load("apt-pending", key, tuple[PendingUpdate, ...])
    if found is None:
        found = _pending(root, target, lists)
        cache.save("apt-pending", key, found)
    return found


def _key(root: Path, target: str) -> str:
    from hashlib import blake2s  # noqa: PLC0415 - slow to import

    facts = [target]
    files = [dpkg.STATUS, _PREFERENCES, *(f"{LISTS}/{name}" for name in names(root, LISTS))]
    files += (f"{_PREFERENCES}.d/{name}" for name in names(root, f"{_PREFERENCES}.d"))
    for file in files:
        try:
            stat = Path(locate(root, file)).stat()
        except FileNotFoundError:
            continue
        facts.append(f"{file} {stat.st_ino} {stat.st_mtime_ns} {stat.st_size}")
    return blake2s("\n".join(facts).encode()).hexdigest()


def _pending(root: Path, target: str, lists: list[str]) -> tuple[PendingUpdate, ...]:
    packages = dpkg.Dpkg(root).installed()
    native = next((found.architecture for found in packages if found.name == "dpkg"), "all")
    known = {(package.name, _own(package.architecture, native)): package for package in packages}
    releases = _releases(root)
    offers: dict[tuple[str, str], list[Offer]] = {}
    for name in lists:
        archive = _archive(name, releases)
        for package, version in scan(_unpacked(root, name), known, native):
            offers.setdefault(package, []).append(Offer(version, archive))
    pins = tuple(_pins(root))
    updates = (_update(known[key], offers[key], pins, target) for key in known if key in offers)
    return tuple(update for update in updates if update)


def scan(data: bytes, known: Known, native: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Find the versions that one list has of the known packages; the rest is passed over."""
    wanted = {name.encode() for name, _ in known}
    start = 0
    while start < len(data):
        if data.startswith(b"\n", start):
            start += 1
            continue
        end = data.find(b"\n\n", start)
        end = len(data) if end < 0 else end
        # "Package" is the first field in every archive's lists.
        line = data.find(b"\n", start, end)
        if data.startswith(b"Package:", start) and data[start + 8 : line].strip() in wanted:
            version = _VERSION.search(data, start, end)
            architecture = _ARCHITECTURE.search(data, start, end)
            if version and architecture:
                own = _own(decoded(architecture[1].strip()), native)
                key = (decoded(data[start + 8 : line].strip()), own)
                if key in known:
                    yield key, decoded(version[1].strip())
        start = end + 1


def _update(
    package: Package, offers: list[Offer], pins: tuple[Pin, ...], target: str
) -> PendingUpdate | None:
    newer = [offer for offer in offers if compare(offer.version, package.version) > 0]
    if not newer:
        return None
    version = candidate(package.name, package.version, offers, pins, target)
    if compare(version, package.version) <= 0:
        return None
    return PendingUpdate(
        package=package.name,
        installed=package.version,
        candidate=version,
        security=any(offer.archive.security for offer in newer),
    )


def _own(architecture: str, native: str) -> str:
    return native if architecture == "all" else architecture


def _releases(root: Path) -> dict[str, dict[str, str]]:
    """Return the head of each Release file by what the names of its lists start with."""
    found = {}
    for name in names(root, LISTS):
        for ending in ("InRelease", "Release"):
            if name.endswith(f"_{ending}"):
                text = read_text(root, f"{LISTS}/{name}", MAX_BYTES)
                head = re.split(r"^(?:MD5Sum|SHA1|SHA256):", text, maxsplit=1, flags=re.MULTILINE)
                found[name.removesuffix(ending)] = dict(_HEAD.findall(head[0]))
                break
    return found


def _archive(name: str, releases: dict[str, dict[str, str]]) -> Archive:
    """Say which archive a list belongs to; a list without a Release file has no fields."""
    prefix = max((prefix for prefix in releases if name.startswith(prefix)), key=len, default="")
    match = _LIST.search(name)
    component = match[1] if match else None
    return Archive(name.partition("_")[0], component or "", releases.get(prefix, {}))


def _pins(root: Path) -> Iterator[Pin]:
    parts = f"{_PREFERENCES}.d"
    files = [f"{parts}/{name}" for name in names(root, parts) if _is_part(name)]
    for path in (*files, _PREFERENCES):
        try:
            yield from parse_preferences(read_text(root, path))
        except FileNotFoundError:
            continue


def _is_part(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]+|[A-Za-z0-9_.-]+\.pref", name) is not None


def _unpacked(root: Path, name: str) -> bytes:
    """Read a list in whatever compression apt keeps it."""
    match = _LIST.search(name)
    ending = match[2] if match else None
    path = f"{LISTS}/{name}"
    if ending is None:
        return read_bytes(root, path, MAX_BYTES)
    opener = _opener(ending)
    if opener is None:
        return output([_HELPER, "cat-file", locate(root, path)], seconds=_SECONDS)
    with opener(locate(root, path)) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ToolError(f"{name} is larger than {MAX_BYTES >> 20} MiB")
    return data


def _opener(ending: str) -> "Callable[[str], BufferedIOBase] | None":
    import bz2  # noqa: PLC0415 - the four are slow to import
    import gzip  # noqa: PLC0415
    import lzma  # noqa: PLC0415

    return {".gz": gzip.GzipFile, ".xz": lzma.LZMAFile, ".bz2": bz2.BZ2File}.get(ending)
