import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.host import Container, PublishedPort
from portward.model.net import Protocol
from portward.model.unknown import Unknown
from portward.survey import containers
from portward.survey.containers import parse_docker, parse_machine, unnamed

ID = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4


def docker_config(**changes: Any) -> bytes:
    config: dict[str, Any] = {
        "StreamConfig": {},
        "State": {"Running": True, "Paused": False, "Pid": 4711},
        "ID": ID,
        "Created": "2026-01-01T00:00:00Z",
        "Config": {"Hostname": ID[:12], "Image": "nginx:1.25", "Labels": {}},
        "Image": "sha256:" + ID,
        "NetworkSettings": {
            "SandboxKey": "/var/run/docker/netns/5a1b2c3d4e5f",
            "Ports": {
                "80/tcp": [
                    {"HostIp": "0.0.0.0", "HostPort": "8080"},
                    {"HostIp": "::", "HostPort": "8080"},
                ],
                "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "5353"}],
                "443/tcp": None,
            },
        },
        "Name": "/web",
        "Driver": "overlay2",
    }
    return json.dumps(config | changes).encode()


def test_a_running_docker_container() -> None:
    assert parse_docker(docker_config()) == Container(
        name="web",
        id=ID,
        engine="docker",
        image="nginx:1.25",
        published=(
            PublishedPort(protocol=Protocol.TCP, address="0.0.0.0", port=8080, container_port=80),
            PublishedPort(protocol=Protocol.TCP, address="::", port=8080, container_port=80),
            PublishedPort(protocol=Protocol.UDP, address="127.0.0.1", port=5353, container_port=53),
        ),
    )


def test_a_stopped_docker_container_is_none() -> None:
    assert parse_docker(docker_config(State={"Running": False})) is None


@pytest.mark.parametrize("port", ["", "0", "65536", "999999999", "x", "-1", "٣"])
def test_a_port_that_is_none_is_left_out(port: str) -> None:
    settings = {"Ports": {"80/tcp": [{"HostIp": "", "HostPort": port}], "x": "y", "": [1]}}
    found = parse_docker(docker_config(NetworkSettings=settings))
    assert found is not None
    assert found.published == ()


def write(root: Path, path: str, content: bytes | str) -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_docker_may_keep_its_files_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, "/etc/docker/daemon.json", '{"data-root": "/srv/docker"}')
    write(tmp_path, f"/srv/docker/containers/{ID}/config.v2.json", docker_config())
    write(tmp_path, f"/var/lib/docker/containers/{OTHER}/config.v2.json", docker_config(ID=OTHER))
    assert [one.id for one in containers.containers(tmp_path).known] == [ID]


MACHINE = """\
# This is private data. Do not parse.
NAME=web
SCOPE=machine-web.scope
ROOT=/var/lib/machines/web
SERVICE=systemd-nspawn
CLASS={kind}
LEADER=4711
"""


def test_machines_of_systemd(tmp_path: Path) -> None:
    write(tmp_path, "/run/systemd/machines/web", MACHINE.format(kind="container"))
    write(tmp_path, "/run/systemd/machines/vm", MACHINE.format(kind="vm"))
    (tmp_path / "run/systemd/machines/unit:machine-web.scope").symlink_to("web")
    found = containers.containers(tmp_path)
    assert [(one.name, one.engine, one.image) for one in found.known] == [
        ("web", "nspawn", "/var/lib/machines/web")
    ]


def test_damaged_files_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    write(tmp_path, f"/var/lib/docker/containers/{ID}/config.v2.json", "{")
    write(tmp_path, "/run/systemd/machines/web", MACHINE.format(kind="container"))
    found = containers.containers(tmp_path)
    assert [one.name for one in found.known] == ["web"]
    assert len(found.gaps) == 1
    assert found.gaps[0].startswith("Containers of docker are not known by name: damaged file")


def test_a_container_is_found_by_the_id_of_its_cgroup(tmp_path: Path) -> None:
    write(tmp_path, f"/var/lib/docker/containers/{ID}/config.v2.json", docker_config())
    found = containers.containers(tmp_path)
    assert found.find("docker", ID) == found.known[0]
    assert found.find("unknown", ID) == found.known[0]
    assert found.find("podman", ID) is None
    assert found.find("docker", OTHER) is None


def test_a_container_of_which_only_the_cgroup_is_known() -> None:
    assert unnamed("docker", ID).name == "0123456789ab"
    assert unnamed("lxc", "web").name == "web"
    assert isinstance(unnamed("docker", ID).published, Unknown)


def test_a_machine_without_containers(tmp_path: Path) -> None:
    assert containers.containers(tmp_path) == ((), ())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99999) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(["State", "ID", "Name", "Config", "NetworkSettings"])


@given(st.dictionaries(KEYS, JSON), st.dictionaries(st.sampled_from(["80/tcp", "/", ""]), JSON))
def test_any_json_is_read(config: dict[str, Any], ports: dict[str, Any]) -> None:
    forced = {"State": {"Running": True}, "NetworkSettings": {"Ports": ports}}
    assert parse_docker(json.dumps(config | forced).encode()) is not None
    parse_docker(json.dumps(config).encode())


@given(st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(msgspec.MsgspecError):
        parse_docker(raw)


@given(st.text())
def test_any_machine_file_is_read(text: str) -> None:
    parse_machine(text)
