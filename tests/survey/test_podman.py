import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.host import Container, PublishedPort
from portward.model.net import Protocol
from portward.model.unknown import Unknown
from portward.survey import podman
from portward.survey.podman import Places, parse_config, parse_podman, parse_settings

CAPTURES = Path(__file__).parents[1] / "captures/podman"
ID = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4
STORED = [
    {
        "id": ID,
        "names": ["db"],
        "image": OTHER,
        "metadata": json.dumps({"image-name": "docker.io/library/postgres:16"}),
        "layer": OTHER,
    },
    {"id": OTHER, "names": ["stopped"], "metadata": "not json"},
]
USUAL = Places()
CONFIG = {
    "id": ID,
    "newPortMappings": [
        {"host_ip": "", "container_port": 80, "host_port": 8080, "range": 1, "protocol": "tcp"},
        {
            "host_ip": "127.0.0.1",
            "container_port": 7000,
            "host_port": 9000,
            "range": 2,
            "protocol": "tcp,udp",
        },
    ],
}


def port(protocol: str, address: str, outer: int, inner: int) -> PublishedPort:
    return PublishedPort(
        protocol=Protocol(protocol), address=address, port=outer, container_port=inner
    )


PUBLISHED = (
    port("tcp", "0.0.0.0", 8080, 80),
    port("tcp", "127.0.0.1", 9000, 7000),
    port("tcp", "127.0.0.1", 9001, 7001),
    port("udp", "127.0.0.1", 9000, 7000),
    port("udp", "127.0.0.1", 9001, 7001),
)


def write(root: Path, path: str, content: bytes | str) -> Path:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return place


def machine(root: Path, running: str = ID, places: Places = USUAL, driver: str = "overlay") -> None:
    """Write the files of a machine on which one of two containers runs."""
    stored = f"{places.graphroot}/{driver}-containers/containers.json"
    run = f"{places.runroot}/{driver}-containers"
    write(root, stored, json.dumps(STORED))
    write(root, f"{run}/{running}/userdata/pidfile", "4711")
    write(root, f"{run}/{OTHER}/userdata/config.json", "{}")


def database(root: Path, config: str, graphroot: str = USUAL.graphroot) -> None:
    """Write podman 5's database, as far as it is read."""
    file = write(root, f"{graphroot}/db.sql", b"")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "CREATE TABLE ContainerConfig(ID TEXT PRIMARY KEY NOT NULL, Name TEXT UNIQUE NOT NULL,"
            " PodID TEXT, JSON TEXT NOT NULL)"
        )
        connection.execute("INSERT INTO ContainerConfig VALUES (?, 'db', NULL, ?)", (ID, config))


def the_one(root: Path) -> Container:
    (one,) = podman.containers(root)
    return one


def test_running_containers_have_a_pid_file(tmp_path: Path) -> None:
    machine(tmp_path)
    database(tmp_path, json.dumps(CONFIG))
    one = the_one(tmp_path)
    assert (one.name, one.engine, one.image) == ("db", "podman", "docker.io/library/postgres:16")
    assert one.published == PUBLISHED


def test_storage_may_be_elsewhere_and_of_another_driver(tmp_path: Path) -> None:
    places = Places("/srv/storage", "/run/elsewhere")
    text = f'[storage]\ndriver = "vfs"\nrunroot="{places.runroot}"\n graphroot = "/srv/storage"\n'
    assert parse_settings(text + '# graphroot = "/x"\n') == places
    write(tmp_path, "/etc/containers/storage.conf", text)
    machine(tmp_path, places=places, driver="vfs")
    database(tmp_path, json.dumps(CONFIG), places.graphroot)
    assert the_one(tmp_path).published == PUBLISHED


def test_an_older_podman_has_bolt(tmp_path: Path) -> None:
    raw = gzip.decompress((CAPTURES / "bolt_state.db.gz").read_bytes())
    web = "2698e15927cb45b3985a34a90077585355d7bad542d56ec66a16b496030a96b2"
    machine(tmp_path, running=web)
    database(tmp_path, json.dumps(CONFIG))  # left over from a trial: podman goes on with bolt
    write(tmp_path, f"{USUAL.graphroot}/libpod/bolt_state.db", raw)
    assert the_one(tmp_path).published == (
        port("tcp", "0.0.0.0", 8092, 80),
        port("tcp", "10.98.3.2", 8093, 80),
    )


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (None, "No such file"),
        ("{", "podman's database"),
        ('{"portMappings": [{"hostPort": 80}]}', "older than 4.0"),
    ],
)
def test_what_cannot_be_read_is_unknown(tmp_path: Path, config: str | None, reason: str) -> None:
    machine(tmp_path)
    if config is not None:
        database(tmp_path, config)
    published = the_one(tmp_path).published
    assert isinstance(published, Unknown)
    assert reason in published.reason


def test_a_container_that_the_database_lacks_is_unknown(tmp_path: Path) -> None:
    machine(tmp_path, running="a" * 64)
    database(tmp_path, json.dumps(CONFIG))
    assert isinstance(the_one(tmp_path).published, Unknown)


@pytest.mark.parametrize("content", [b"", b"no database" * 100])
@pytest.mark.parametrize("file", ["db.sql", "libpod/bolt_state.db"])
def test_a_damaged_database_is_unknown(tmp_path: Path, file: str, content: bytes) -> None:
    machine(tmp_path)
    write(tmp_path, f"{USUAL.graphroot}/{file}", content)
    assert isinstance(the_one(tmp_path).published, Unknown)


@pytest.mark.parametrize("config", [{}, {"newPortMappings": None}, {"newPortMappings": []}])
def test_a_container_without_ports(config: dict[str, Any]) -> None:
    assert parse_config(json.dumps(config).encode()) == ()


@given(st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for parse in (parse_config, parse_podman):
        try:
            parse(raw)
        except msgspec.MsgspecError:
            continue
