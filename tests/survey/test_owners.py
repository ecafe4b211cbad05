import os
import socket
import subprocess
import sys

import pytest

from portward.survey.owners import Owners, by_proc, owners

NOBODY = """
import os, socket
from portward.survey.owners import owners
os.setgroups([])
os.setresuid(65534, 65534, 65534)
os.environ["HOME"] = "/nonexistent"
mine = socket.create_server(("127.0.0.1", 0))
inode = os.fstat(mine.fileno()).st_ino
print(owners({inode}), owners({inode, 1}), sep="\\n")
print({inode: (os.getpid(),)})
"""


def inode(opened: socket.socket) -> int:
    return os.fstat(opened.fileno()).st_ino


def test_our_own_socket_is_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert owners({inode(server)}).holders == {inode(server): (os.getpid(),)}


def test_nothing_wanted_is_answered_completely() -> None:
    assert owners(set())[1:4] == ({}, True, owners(set()).gaps)


def test_the_walk_says_why_it_walks() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert by_proc(frozenset({inode(server)}), "a test") == Owners(
            "proc",
            {inode(server): (os.getpid(),)},
            complete=True,
            gaps=("Owners of sockets were looked up in /proc and not with BPF: a test.",),
        )


def test_only_wanted_sockets_are_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)):
        assert owners({inode(one)}).holders.keys() == {inode(one)}
        assert by_proc(frozenset({inode(one)}), "test").holders.keys() == {inode(one)}


@pytest.mark.root
def test_without_root_what_is_hidden_is_unknown_and_not_nobody() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOBODY],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    found, hidden, holders = done.stdout.splitlines()
    assert f"by='proc', holders={holders}, complete=True" in found
    assert f"by='proc', holders={holders}, complete=False" in hidden
    assert "Owners of sockets of other users are unknown: needs root." in hidden


IN_A_PID_NAMESPACE = """
import os, socket
from portward.survey.owners import by_proc, owners
mine = socket.create_server(("127.0.0.1", 0))
inode = os.fstat(mine.fileno()).st_ino
for found in owners({inode}), owners({inode, 1}), by_proc(frozenset({inode, 1}), "a test"):
    print(os.getpid(), found.by, found.holders[inode], found.complete, *found.gaps[-1:])
"""


@pytest.mark.root
def test_in_a_pid_namespace_processes_have_its_numbers_and_the_rest_is_hidden() -> None:
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", IN_A_PID_NAMESPACE],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    whole, hidden, walked = done.stdout.splitlines()
    assert whole == "1 bpf (1,) True"
    assert hidden.startswith("1 bpf (1,) False Processes outside of our PID namespace are hidden")
    assert walked.startswith("1 proc (1,) False Processes outside of our PID namespace are hidden")
