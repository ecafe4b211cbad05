"""Running containers of podman, from its storage and its database; podman is not started.

The storage (containers/storage) knows which containers there are; what they publish stands in
podman's own database alone: sqlite, or before podman 4.8 bbolt.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from portward.model.host import Container, PublishedPort
from portward.model.net import IPV4_ANY, MAX_PORT, Protocol
from portward.model.unknown import Maybe, Unknown
from portward.survey import files

SHORT_ID = 12
MAX_CONTAINERS = 10_000
_MAX_BYTES = 256 << 20
_ID = re.compile(r"[0-9a-f]{64}")
_SETTINGS = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
_SETTING = re.compile(r'^[ \t]*(graphroot|runroot)[ \t]*=[ \t]*"(/[^"\n]*)"', re.MULTILINE)
_SQLITE = "db.sql"
_BOLT = "libpod/bolt_state.db"
_GONE = Unknown("podman's database does not have the container")
_OLDER = Unknown("a podman older than 4.0 wrote its ports")


class Places(NamedTuple):
    """Where podman keeps things, unless containers-storage.conf(5) says otherwise."""

    graphroot: str = "/var/lib/containers/storage"
    runroot: str = "/run/containers/storage"


class _Stored(msgspec.Struct):
    """One entry of containers/storage's containers.json."""

    id: str
    names: list[str] = []
    metadata: str = ""


class _Mapping(msgspec.Struct):
    """One range of published ports."""

    host_port: int
    container_port: int
    host_ip: str = ""
    range: int = 1
    protocol: str = "tcp"
    """One or more, with commas between."""


class _Config(msgspec.Struct):
    """What podman keeps of a container."""

    mappings: list[_Mapping] | None = msgspec.field(name="newPortMappings", default=None)
    older: list[Any] | None = msgspec.field(name="portMappings", default=None)


def containers(root: Path) -> Iterator[Container]:
    """Yield the containers that run: those with the file of their process in the run directory.

    Raise OSError, or a ValueError for a damaged file.
    """
    places = _places(root)
    database = _Database(root, places.graphroot)
    # One directory for each storage driver: "overlay-containers", "vfs-containers".
    for directory in files.names(root, places.runroot):
        if directory.endswith("-containers"):
            yield from _running(root, places, directory, database)


def _running(
    root: Path, places: Places, directory: str, database: "_Database"
) -> Iterator[Container]:
    running = [
        name
        for name in files.names(root, f"{places.runroot}/{directory}")
        if _ID.fullmatch(name)
        and "pidfile" in files.names(root, f"{places.runroot}/{directory}/{name}/userdata")
    ]
    if not running:
        return
    path = f"{places.graphroot}/{directory}/containers.json"
    stored = parse_podman(files.read_bytes(root, path, 64 << 20))
    for identity in running[:MAX_CONTAINERS]:
        name, image = stored.get(identity, (identity[:SHORT_ID], None))
        yield Container(
            name=name,
            id=identity,
            engine="podman",
            image=image,
            published=database.published(identity),
        )


def parse_podman(raw: bytes) -> dict[str, tuple[str, str | None]]:
    """Read containers.json of containers/storage: id to name and image."""
    found = {}
    for stored in msgspec.json.decode(raw, type=list[_Stored]):
        try:
            metadata = msgspec.json.decode(stored.metadata)
        except msgspec.DecodeError:
            metadata = None
        image = metadata.get("image-name") if isinstance(metadata, dict) else None
        name = stored.names[0] if stored.names else stored.id[:SHORT_ID]
        found[stored.id] = (name, str(image) if image else None)
    return found


def parse_settings(text: str) -> Places:
    """Read containers-storage.conf(5)."""
    return Places(**dict(_SETTING.findall(text)))


def _places(root: Path) -> Places:
    """Read the first of the files that is there, as podman does."""
    for path in _SETTINGS:
        try:
            return parse_settings(files.read_text(root, path))
        except FileNotFoundError:
            continue
    return Places()


# --- published ports --------------------------------------------------------------------------


def parse_config(raw: bytes) -> Maybe[tuple[PublishedPort, ...]]:
    """Read what a container publishes from its entry in the database."""
    config = msgspec.json.decode(raw, type=_Config)
    if config.older:
        return _OLDER
    return tuple(port for mapping in config.mappings or () for port in _ports(mapping))


def _ports(mapping: _Mapping) -> Iterator[PublishedPort]:
    for protocol in mapping.protocol.split(","):
        for step in range(min(mapping.range or 1, MAX_PORT)):
            outer, inner = mapping.host_port + step, mapping.container_port + step
            if protocol in set(Protocol) and 0 < outer <= MAX_PORT and 0 < inner <= MAX_PORT:
                yield PublishedPort(
                    protocol=Protocol(protocol),
                    address=mapping.host_ip or IPV4_ANY,
                    port=outer,
                    container_port=inner,
                )


class _Database:
    """Podman's own database: bbolt where there is one, as podman goes on with it; else sqlite."""

    def __init__(self, root: Path, graphroot: str) -> None:
        self._root = root
        self._bolt = f"{graphroot}/{_BOLT}"
        self._sqlite = f"{graphroot}/{_SQLITE}"

    def published(self, identity: str) -> Maybe[tuple[PublishedPort, ...]]:
        """Return what a container publishes."""
        try:
            raw = self._configs.get(identity)
            return _GONE if raw is None else parse_config(raw)
        except OSError as error:
            return Unknown(f"podman's database: {error.strerror}")
        except ValueError as error:
            return Unknown(f"podman's database: {error}")

    @cached_property
    def _configs(self) -> dict[str, bytes]:
        """Every container's entry, by id."""
        if files.exists(self._root, self._bolt):
            return self._of_bolt()
        return self._of_sqlite()

    def _of_bolt(self) -> dict[str, bytes]:
        from portward.survey.bolt import Bolt  # noqa: PLC0415 - only where podman is older

        top = Bolt(files.read_bytes(self._root, self._bolt, _MAX_BYTES)).top
        known = top.bucket(b"ctr")
        found = {}
        for identity, entry in known.buckets() if known else ():
            config = entry.value(b"config")
            if config is not None:
                found[files.decoded(identity)] = config
        return found

    def _of_sqlite(self) -> dict[str, bytes]:
        from contextlib import closing  # noqa: PLC0415 - as sqlite

        from portward.survey import sqlite  # noqa: PLC0415 - slow to import, only where podman is

        file = files.resolve(self._root, self._sqlite).absolute()
        try:
            with closing(sqlite.connect(file)) as connection:
                rows = connection.execute("SELECT ID, JSON FROM ContainerConfig")
                return {str(identity): str(config).encode() for identity, config in rows}
        except sqlite.Error as error:
            raise ValueError(str(error)) from error
