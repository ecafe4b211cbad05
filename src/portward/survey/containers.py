"""Running containers, from the files that their engines keep; no engine is asked or started."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from portward.model.host import Container, PublishedPort
from portward.model.net import IPV4_ANY, MAX_PORT, Protocol
from portward.model.unknown import NEEDS_ROOT, Unknown
from portward.survey import files, podman

HERE = Path("/")
SHORT_ID = 12
MAX_CONTAINERS = 10_000
_ID = re.compile(r"[0-9a-f]{64}")
_DOCKER = "/var/lib/docker"
_NO_PORTS: tuple[PublishedPort, ...] = ()


class Containers(NamedTuple):
    """What the engines' files tell, and what could not be read of them."""

    known: tuple[Container, ...]
    gaps: tuple[str, ...]

    def find(self, engine: str, name: str) -> Container | None:
        """Find a container by the id or name that its cgroup bears."""
        for container in self.known:
            if name in {container.id, container.name} and engine in {container.engine, "unknown"}:
                return container
        return None


def containers(root: Path = HERE) -> Containers:
    """List the containers that run now, as docker, podman, LXC and systemd-machined say.

    Podman's are those with a directory in /run; of a container that no engine's file names
    (LXC, Kubernetes) only its cgroup tells.
    """
    known: list[Container] = []
    gaps: list[str] = []
    for engine, read in _READERS.items():
        try:
            known += read(root)
        except OSError as error:
            gaps.append(f"Containers of {engine} are not known by name: {error.strerror}.")
        except msgspec.MsgspecError as error:
            gaps.append(f"Containers of {engine} are not known by name: damaged file ({error}).")
    return Containers(tuple(known), tuple(gaps))


def unnamed(engine: str, name: str) -> Container:
    """Stand in for a container of which only the cgroup is known."""
    hexadecimal = _ID.fullmatch(name) is not None
    return Container(
        name=name[:SHORT_ID] if hexadecimal else name,
        id=name,
        engine=engine,
        image=None,
        published=NEEDS_ROOT if hexadecimal and engine == "docker" else Unknown("not looked up"),
    )


# --- docker ---------------------------------------------------------------------------------


def parse_docker(raw: bytes) -> Container | None:
    """Read a container's config.v2.json; None where it does not run."""
    config = _object(msgspec.json.decode(raw))
    if not _object(config.get("State")).get("Running"):
        return None
    identity = str(config.get("ID", ""))
    bindings = _object(_object(config.get("NetworkSettings")).get("Ports"))
    image = _object(config.get("Config")).get("Image")
    return Container(
        name=str(config.get("Name", "")).removeprefix("/") or identity[:SHORT_ID],
        id=identity,
        engine="docker",
        image=str(image) if image else None,
        published=tuple(_docker_ports(bindings)),
    )


def _docker_ports(bindings: dict[str, Any]) -> Iterator[PublishedPort]:
    """Read {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "443/tcp": null}."""
    for inner, outers in bindings.items():
        number, _, protocol = inner.partition("/")
        for outer in outers if isinstance(outers, list) else ():
            fields = _object(outer)
            address = str(fields.get("HostIp") or IPV4_ANY)
            published = _published(
                protocol or "tcp", address, str(fields.get("HostPort", "")), number
            )
            if published:
                yield published


def _published(protocol: str, address: str, port: str, inner: str) -> PublishedPort | None:
    if protocol not in {"tcp", "udp", "sctp"} or not _is_port(port) or not _is_port(inner):
        return None
    return PublishedPort(
        protocol=Protocol(protocol), address=address, port=int(port), container_port=int(inner)
    )


def _is_port(text: str) -> bool:
    return (
        text.isascii()
        and text.isdigit()
        and len(text) <= len(str(MAX_PORT))
        and (0 < int(text) <= MAX_PORT)
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _docker_home(root: Path) -> str:
    """Return docker's data directory: daemon.json may have moved it."""
    try:
        settings = _object(msgspec.json.decode(files.read_bytes(root, "/etc/docker/daemon.json")))
    except FileNotFoundError:
        return _DOCKER
    home = settings.get("data-root")
    return home if isinstance(home, str) and home.startswith("/") else _DOCKER


def _docker(root: Path) -> Iterator[Container]:
    place = _docker_home(root) + "/containers"
    for name in files.names(root, place)[:MAX_CONTAINERS]:
        if not _ID.fullmatch(name):
            continue
        try:
            container = parse_docker(
                files.read_bytes(root, f"{place}/{name}/config.v2.json", 8 << 20)
            )
        except FileNotFoundError:
            continue
        if container:
            yield container


# --- systemd-machined -----------------------------------------------------------------------


def parse_machine(text: str) -> Container | None:
    """Read a file of /run/systemd/machines; None for virtual machines."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    name = fields.get("NAME", "").strip('"')
    if fields.get("CLASS") != "container" or not name:
        return None
    service = fields.get("SERVICE", "").strip('"')
    engine = {"systemd-nspawn": "nspawn", "libvirt-lxc": "lxc"}.get(service, "unknown")
    return Container(
        name=name,
        id=name,
        engine=engine,
        image=fields.get("ROOT", "").strip('"') or None,
        published=_NO_PORTS if engine == "nspawn" else Unknown("its engine is not read"),
    )


def _machined(root: Path) -> Iterator[Container]:
    place = "/run/systemd/machines"
    for name in files.names(root, place)[:MAX_CONTAINERS]:
        if name.startswith(("unit:", ".#")):  # machined's links from unit to machine, drafts
            continue
        try:
            container = parse_machine(files.read_text(root, f"{place}/{name}"))
        except FileNotFoundError:
            continue
        if container:
            yield container


_READERS: dict[str, Callable[[Path], Iterator[Container]]] = {
    "docker": _docker,
    "podman": podman.containers,
    "systemd-machined": _machined,
}
