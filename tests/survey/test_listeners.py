import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from portward.model.host import HOST, ExeState, Listener, Namespace, Process
from portward.model.net import Family, Protocol
from portward.model.unknown import NEEDS_ROOT, Unknown
from portward.survey import cgroups
from portward.survey.listeners import Ports, listeners
from portward.survey.packages import index

SERVER = """
import os, socket, sys, time
kind, address, port, workers = sys.argv[1:5]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
def bound():
    one = socket.socket(family, getattr(socket, kind))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind((address, int(port)))
    if kind == "SOCK_STREAM":
        one.listen()
    return one
keep = [bound()]
for _ in range(int(workers)):
    if os.fork() == 0:
        break
print(flush=True)
time.sleep(120)
"""
Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[subprocess.Popen[bytes]] = []

    def run(address: str, port: int, *, kind: str = "SOCK_STREAM", workers: int = 0) -> int:
        child = subprocess.Popen(
            [sys.executable, "-c", SERVER, kind, address, str(port), str(workers)],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(child)
        assert child.stdout is not None
        for _ in range(workers + 1):
            child.stdout.readline()
        return child.pid

    yield run
    for child in started:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def survey() -> Ports:
    return listeners(index(Path("/")))


def on(ports: Ports, port: int) -> list[Listener]:
    assert isinstance(ports.listeners, tuple)
    return [one for one in ports.listeners if one.port == port]


def process_of(listener: Listener) -> Process:
    assert isinstance(listener.process, Process)
    return listener.process


def test_a_server_is_named(serve: Serve) -> None:
    port = free_port()
    pid = serve("127.0.0.1", port)
    (listener,) = on(survey(), port)
    assert (listener.protocol, listener.family) == (Protocol.TCP, Family.IPV4)
    assert (listener.address, listener.namespace, listener.uid) == (
        "127.0.0.1",
        HOST,
        os.geteuid(),
    )
    process = process_of(listener)
    assert process.pid == pid
    assert process.exe == os.path.realpath(sys.executable)
    assert process.exe_state == ExeState.PRESENT
    assert listener.container is None


def test_workers_of_one_socket_and_twins_are_one_listener(serve: Serve) -> None:
    shared, twins = free_port(), free_port()
    pid = serve("127.0.0.1", shared, workers=2)
    pids = {serve("127.0.0.1", twins, kind="SOCK_DGRAM") for _ in range(3)}
    ports = survey()
    (listener,) = on(ports, shared)
    process = process_of(listener)
    assert process.pid == pid
    assert len(process.sharers) == 2
    (listener,) = on(ports, twins)
    process = process_of(listener)
    assert {process.pid, *process.sharers} == pids
    assert len(listener.inodes) == 3


@pytest.mark.root
def test_the_unit_comes_from_the_control_group() -> None:
    mounts = cgroups.mounts()
    # Where systemd has its own v1 hierarchy beside, a service is in the same place of both.
    groups = [
        Path(tree, f"portward-test{os.getpid()}.service")
        for tree in (mounts.unified, mounts.named)
        if tree
    ]
    port = free_port()
    reader, writer = os.pipe()
    child = 0
    for group in groups:
        group.mkdir()
    try:
        child = os.fork()
        if child == 0:
            for group in groups:
                (group / "cgroup.procs").write_text(str(os.getpid()))
            with socket.socket() as listening:
                listening.bind(("127.0.0.1", port))
                listening.listen()
                os.write(writer, b"y")
                signal.pause()
        os.close(writer)
        assert os.read(reader, 1) == b"y"
        (listener,) = on(survey(), port)
        assert listener.unit == groups[0].name
        assert process_of(listener).pid == child
    finally:
        os.close(reader)
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        for group in groups:
            group.rmdir()


@pytest.mark.root
def test_a_server_in_a_namespace_is_listed_under_its_name(serve: Serve) -> None:
    name = f"portward-listeners{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    host = os.open("/proc/self/ns/net", os.O_RDONLY)
    inner = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        libc_setns(inner)
        try:
            pid = serve("0.0.0.0", 4711)
        finally:
            libc_setns(host)
        ports = survey()
        (listener,) = [one for one in on(ports, 4711) if one.namespace == name]
        assert process_of(listener).pid == pid
        assert isinstance(ports.namespaces, tuple)
        spaces = {one.name: one for one in ports.namespaces}
        assert spaces[name] == Namespace(
            name=name, inode=os.fstat(inner).st_ino, container=None, sockets=1
        )
        assert spaces[HOST].inode == os.fstat(host).st_ino
    finally:
        os.close(inner)
        os.close(host)
        subprocess.run(["ip", "netns", "delete", name], check=True)


def libc_setns(descriptor: int) -> None:
    import ctypes  # noqa: PLC0415 - os.setns() is there from Python 3.12 on

    assert ctypes.CDLL(None).setns(descriptor, 0) == 0


@pytest.mark.root
def test_without_rights_an_owner_is_unknown_and_never_nobody(serve: Serve) -> None:
    port = free_port()
    serve("127.0.0.1", port)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        (found,) = on(survey(), port)
        os.write(writer, msgspec.json.encode(found))
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as answer:
        listener = msgspec.json.decode(answer.read(), type=Listener)
    assert listener.process == NEEDS_ROOT
    assert listener.package == NEEDS_ROOT


def test_everything_found_can_be_saved_and_read_again(serve: Serve) -> None:
    serve("127.0.0.1", free_port())
    ports = survey()
    assert isinstance(ports.listeners, tuple)
    for listener in ports.listeners:
        assert msgspec.json.decode(msgspec.json.encode(listener), type=Listener) == listener
    assert not isinstance(ports.inetd, Unknown) or os.geteuid()
