import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.survey.namespaces import NetworkNamespace, inside, mounted, namespaces

OWN = NetworkNamespace(
    Path("/proc/self/ns/net").stat().st_ino, "/proc/thread-self/ns/net", (), None
)

MOUNTINFO = rb"""22 1 0:20 / /proc rw,relatime shared:5 - proc proc rw
90 31 0:4 net:[4026532177] /run/netns/blue rw shared:22 - nsfs nsfs rw
91 31 0:4 net:[4026532178] /run/netns/two\040words rw - nsfs nsfs rw
92 31 0:4 mnt:[4026532179] /run/ns/mount rw - nsfs nsfs rw
93 31 0:4 net:[4026532177] /var/run/again rw - nsfs nsfs rw
"""

NOBODY = """
import os
from portward.survey.namespaces import namespaces
os.setgroups([])
os.setresuid(65534, 65534, 65534)
os.environ["HOME"] = "/nonexistent"
found, gaps = namespaces()
print(found[0].inode, *gaps, sep="\\n")
"""


def test_our_own_namespace_comes_first() -> None:
    found, _ = namespaces()
    assert found[0].inode == OWN.inode
    assert [one.inode for one in found].count(OWN.inode) == 1


def test_namespaces_are_read_from_mountinfo() -> None:
    assert mounted(MOUNTINFO) == {
        4026532177: "/run/netns/blue",
        4026532178: "/run/netns/two words",
    }


@given(st.binary(max_size=200))
def test_a_damaged_mountinfo_is_harmless(noise: bytes) -> None:
    assert len(mounted(noise)) <= len(noise)


@pytest.mark.root
def test_work_is_done_by_another_thread_and_its_error_comes_back() -> None:
    assert inside(OWN, threading.get_native_id) != threading.get_native_id()
    with pytest.raises(ZeroDivisionError):
        inside(OWN, lambda: 1 // 0)


def test_a_path_that_leads_to_another_namespace_by_now_is_not_entered() -> None:
    with pytest.raises(ProcessLookupError, match="another namespace"):
        inside(OWN._replace(inode=1), os.getpid)


def test_a_namespace_that_is_gone_is_an_oserror() -> None:
    with pytest.raises(FileNotFoundError):
        inside(OWN._replace(path="/run/netns/of-nobody"), os.getpid)


@pytest.mark.root
def test_without_root_the_rest_is_said_to_be_unknown() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOBODY],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    own, *gaps = done.stdout.splitlines()
    assert int(own) == OWN.inode
    assert "Network namespaces of other users' processes are unknown: needs root." in gaps
