"""Everybody who opens a socket in an unusual way is seen, and seen as the owner."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from portward.model.net import Family, Protocol
from portward.survey.namespaces import inside, namespaces
from portward.survey.owners import Owners, _by_bpf, by_proc
from portward.survey.processes import _task
from portward.survey.sockets import Socket, sockets

pytestmark = pytest.mark.root

# Every opener is a process of its own. It prints what it made and waits for the end of its input.
PROLOGUE = """
import array, ctypes, json, os, platform, socket, struct, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
CLONE_FILES, CLONE_NEWNET, SO_ATTACH_FILTER = 0x400, 0x40000000, 26

def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def server(family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0, address="127.0.0.1"):
    made = socket.socket(family, kind, protocol)
    made.bind((address, 0))
    if kind == socket.SOCK_STREAM:
        made.listen()
    return made

def in_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread

def until_ended(thread):
    for _ in range(20_000):  # join() returns a little before the kernel has buried the thread
        if not os.path.exists(f"/proc/self/task/{thread.native_id}"):
            return
        threading.Event().wait(0.001)

def accept_everything(made):
    code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0xFFFF))
    program = struct.pack("HP", 1, ctypes.addressof(code))
    made.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

def inode(made):
    return os.fstat(made.fileno()).st_ino

def say(*made, **more):
    print(json.dumps({"inodes": [inode(one) for one in made]} | more), flush=True)

def wait():
    sys.stdin.read()

"""


@contextmanager
def opener(code: str, *arguments: str) -> Generator[tuple[int, dict[str, Any]]]:
    with subprocess.Popen(
        [sys.executable, "-I", "-c", PROLOGUE + code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield process.pid, json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def without_bpf(wanted: frozenset[int]) -> Owners:
    return by_proc(wanted, "this is a test")


@pytest.fixture(params=[_by_bpf, without_bpf], ids=["bpf", "proc"])
def owners(request: pytest.FixtureRequest) -> Callable[[frozenset[int]], Owners]:
    found: Callable[[frozenset[int]], Owners] = request.param
    return found


def seen(inode: int) -> Socket:
    found, _ = sockets()
    (listener,) = [one for one in found if one.inode == inode]
    return listener


Finder = Callable[[frozenset[int]], Owners]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("made = server()", (Protocol.TCP, Family.IPV4, "127.0.0.1")),
        ("made = server(socket.AF_INET6, address='::')", (Protocol.TCP, Family.DUAL, "::")),
        (
            "made = server(socket.AF_INET6, address='::ffff:127.0.0.1')",
            (Protocol.TCP, Family.IPV4, "127.0.0.1"),
        ),
        ("made = server(kind=socket.SOCK_DGRAM)", (Protocol.UDP, Family.IPV4, "127.0.0.1")),
        (
            "made = server(kind=socket.SOCK_DGRAM, protocol=136)",
            (Protocol.UDPLITE, Family.IPV4, "127.0.0.1"),
        ),
        (
            "made = server(socket.AF_INET6, socket.SOCK_RAW, 58, '::')",
            (Protocol.RAW, Family.IPV6, "::"),
        ),
        (
            "made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))",
            (Protocol.PACKET, Family.LINK, ""),
        ),
    ],
)
def test_every_kind_of_socket_has_its_owner(
    owners: Finder, code: str, expected: tuple[Protocol, Family, str]
) -> None:
    with opener(code + "\nsay(made)\nwait()") as (pid, said):
        (inode,) = said["inodes"]
        assert seen(inode)[:3] == expected
        assert owners(frozenset({inode})).holders == {inode: (pid,)}


def test_an_mptcp_listener_is_one_listener(owners: Finder) -> None:
    code = "made = server(protocol=262)\nsay(made, port=made.getsockname()[1])\nwait()"
    with opener(code) as (pid, said):
        (inode,) = said["inodes"]
        found, _ = sockets()
        at_port = [one for one in found if (one.protocol, one.port) == ("tcp", said["port"])]
        assert [(one.inode, one.mptcp) for one in at_port] == [(inode, True)]
        assert owners(frozenset({inode})).holders == {inode: (pid,)}


def test_a_socket_shared_by_fork_belongs_to_the_parent_first() -> None:
    code = """
made = server()
child = os.fork()
if not child:
    wait()
    os._exit(0)
say(made, child=child)
wait()
"""
    with opener(code) as (pid, said):
        (inode,) = said["inodes"]
        assert _by_bpf(frozenset({inode})).holders == {inode: (pid, said["child"])}
        assert pid in without_bpf(frozenset({inode})).holders[inode]


def test_twins_at_one_port_have_their_own_owners(owners: Finder) -> None:
    code = """
made = socket.socket()
made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
made.bind(("127.0.0.1", int(sys.argv[1])))
made.listen()
say(made, port=made.getsockname()[1])
wait()
"""
    with opener(code, "0") as (one, first), opener(code, str(first["port"])) as (two, second):
        inodes = first["inodes"][0], second["inodes"][0]
        assert seen(inodes[0]).port == seen(inodes[1]).port == first["port"]
        assert owners(frozenset(inodes)).holders == {inodes[0]: (one,), inodes[1]: (two,)}


def test_a_thread_with_a_descriptor_table_of_its_own(owners: Finder) -> None:
    code = """
def work():
    checked(libc.unshare(CLONE_FILES))
    made = server()
    say(made)
    threading.Event().wait()
in_thread(work)
wait()
"""
    with opener(code) as (pid, said):
        (inode,) = said["inodes"]
        assert owners(frozenset({inode})).holders == {inode: (pid,)}


def test_a_process_whose_first_thread_has_ended(owners: Finder) -> None:
    code = """
SYS_exit = {"x86_64": 60, "aarch64": 93}[platform.machine()]
made = server()
main = threading.get_native_id()
def work():
    for _ in range(10_000):
        if "Z (" in open(f"/proc/self/task/{main}/status").read():
            break
        threading.Event().wait(0.001)
    say(made)
    wait()
    os._exit(0)
in_thread(work)
libc.syscall(SYS_exit, 0)
"""
    with opener(code) as (pid, said):
        (inode,) = said["inodes"]
        assert owners(frozenset({inode})).holders == {inode: (pid,)}


def test_a_socket_under_way_between_processes_is_held_by_nobody(owners: Finder) -> None:
    code = """
made = server()
here, there = socket.socketpair()
socket.send_fds(here, [b"x"], [made.fileno()])
number = inode(made)
made.close()
print(json.dumps({"inodes": [number]}), flush=True)
wait()
"""
    with opener(code) as (_, said):
        (inode,) = said["inodes"]
        owned = owners(frozenset({inode}))
        assert owned.holders == {}
        # Only where no process hides from us may it be said that nobody holds the socket.
        assert owned.complete != any("unknown" in gap for gap in owned.gaps)


def test_a_socket_registered_with_an_io_uring(owners: Finder) -> None:
    code = """
SETUP, REGISTER, REGISTER_FILES = 425, 427, 2
made = server()
ring = libc.syscall(SETUP, 4, ctypes.create_string_buffer(120))
if ring < 0:
    print(json.dumps({"inodes": []}), flush=True)
    sys.exit()
files = (ctypes.c_int * 1)(made.fileno())
checked(libc.syscall(REGISTER, ring, REGISTER_FILES, files, 1))
say(made)
made.close()
wait()
"""
    with opener(code) as (pid, said):
        if not said["inodes"]:
            pytest.skip("needs io_uring (sysctl kernel.io_uring_disabled)")
        (inode,) = said["inodes"]
        assert seen(inode).protocol == Protocol.TCP
        assert owners(frozenset({inode})).holders == {inode: (pid,)}


def test_a_program_that_runs_from_memory(owners: Finder) -> None:
    code = """
made = server()
made.set_inheritable(True)
memory = os.memfd_create("program", 0)
with open("/bin/cat", "rb") as program:
    os.write(memory, program.read())
say(made)
os.execv(f"/proc/self/fd/{memory}", ["cat"])
"""
    with opener(code) as (pid, said):
        (inode,) = said["inodes"]
        assert owners(frozenset({inode})).holders == {inode: (pid,)}


@pytest.mark.parametrize(
    "code",
    [
        "made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))",
        "made = server(kind=socket.SOCK_RAW, protocol=1)",
        "made = server(kind=socket.SOCK_DGRAM)",
    ],
)
def test_a_filter_on_a_socket_of_any_kind_is_seen(code: str) -> None:
    with opener(code + "\naccept_everything(made)\nsay(made)\nwait()") as (_, said):
        (inode,) = said["inodes"]
        assert _by_bpf(frozenset({inode})).filtered == {inode}
        assert seen(inode).filtered == (seen(inode).protocol == Protocol.PACKET)


def test_a_socket_without_a_filter_is_not_said_to_have_one() -> None:
    code = "made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))\n"
    with opener(code + "say(made)\nwait()") as (_, said):
        (inode,) = said["inodes"]
        assert _by_bpf(frozenset({inode})).filtered == frozenset()
        assert not seen(inode).filtered


def test_a_listener_that_is_bound_to_an_interface() -> None:
    code = """
made = socket.socket()
made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
made.bind(("0.0.0.0", 0))
made.listen()
say(made)
wait()
"""
    with opener(code) as (_, said):
        assert seen(said["inodes"][0]).device == 1


# --- other network namespaces ---------------------------------------------------------------

ENTER = """
def enter_new():
    checked(libc.unshare(CLONE_NEWNET))
    return os.stat("/proc/thread-self/ns/net").st_ino
"""


def test_a_namespace_with_a_process_in_it(owners: Finder) -> None:
    code = ENTER + "space = enter_new()\nmade = server(address='0.0.0.0')\nsay(made, space=space)\n"
    with opener(code + "wait()") as (pid, said):
        (inode,) = said["inodes"]
        found, _ = namespaces()
        (space,) = [one for one in found if one.inode == said["space"]]
        assert space.pids == (pid,)
        assert found[0].inode == Path("/proc/self/ns/net").stat().st_ino
        listening, gaps = inside(space, sockets)
        assert [(one.inode, one.address) for one in listening] == [(inode, "0.0.0.0")]
        assert gaps == ()
        assert owners(frozenset({inode})).holders == {inode: (pid,)}


def test_a_namespace_of_a_thread_alone() -> None:
    code = """
def work():
    space = enter_new()
    say(server(), space=space)
    threading.Event().wait()
in_thread(work)
wait()
"""
    with opener(ENTER + code) as (pid, said):
        (space,) = [one for one in namespaces()[0] if one.inode == said["space"]]
        assert space.pids == (pid,)
        assert inside(space, sockets)[1] == ()


@pytest.fixture
def mounted_name() -> Generator[str]:
    name = f"pw-openers-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def test_a_namespace_that_only_a_mount_keeps(mounted_name: str, owners: Finder) -> None:
    code = """
def work():
    global made
    with open(f"/run/netns/{sys.argv[1]}") as space:
        checked(libc.setns(space.fileno(), CLONE_NEWNET))
    made = server(address="0.0.0.0")
until_ended(in_thread(work))
say(made)
wait()
"""
    with opener(code, mounted_name) as (pid, said):
        (inode,) = said["inodes"]
        (space,) = [one for one in namespaces()[0] if one.mounted == mounted_name]
        assert space.pids == ()
        assert [one.inode for one in inside(space, sockets)[0]] == [inode]
        assert owners(frozenset({inode})).holders == {inode: (pid,)}


@pytest.mark.parametrize("held", ["None", "open('/proc/thread-self/ns/net')"])
def test_a_namespace_that_only_open_files_keep_is_said_to_be_missed(held: str) -> None:
    code = f"""
def work():
    global made, held, space
    space = enter_new()
    made, held = server(), {held}
until_ended(in_thread(work))
say(made, space=space)
wait()
"""
    with opener(ENTER + code) as (pid, said):
        assert said["space"] not in {one.inode for one in namespaces()[0]}
        gaps = _by_bpf(frozenset()).gaps
        (gap,) = [gap for gap in gaps if f"net:[{said['space']}]" in gap]
        assert f"process {pid} " in gap
        assert _by_bpf(frozenset(said["inodes"])).holders == {said["inodes"][0]: (pid,)}


def test_bpf_says_of_a_holder_what_proc_says() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        inode = os.fstat(server.fileno()).st_ino
        told = _by_bpf(frozenset({inode})).tasks[os.getpid()]
    read = _task(os.getpid())
    assert (told.name, told.uid) == (read.name, read.uid)
    assert 0 <= told.started - read.started < 10_000_000  # /proc tells hundredths of a second
    assert told.image is not None
    assert all(told.image)


def test_processes_of_one_program_have_one_image_and_others_have_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = server.fileno()
        commands = (["sleep", "60"], ["sleep", "61"], ["tail", "-f", "/dev/null"])
        children = [subprocess.Popen(command, pass_fds=[held]) for command in commands]
        try:
            tasks = _by_bpf(frozenset({os.fstat(held).st_ino})).tasks
            images = [tasks[child.pid].image for child in children]
        finally:
            for child in children:
                child.kill()
                child.wait()
    assert images[0] == images[1] != images[2]
