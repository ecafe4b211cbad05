import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.unknown import Unknown
from portward.survey import cgroups
from portward.survey.cgroups import GONE, NO_TREE, Mounts, Place

ID = "0123456789abcdef" * 4
SLICE = "/user.slice/user-1000.slice"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/", Place()),
        ("/system.slice", Place()),
        ("/init.scope", Place(manager=True)),
        ("/system.slice/nginx.service", Place(unit="nginx.service")),
        (
            "/system.slice/system-postgresql.slice/postgresql@15-main.service",
            Place(unit="postgresql@15-main.service"),
        ),
        ("/system.slice/foo.service/inner/deep.service", Place(unit="foo.service")),
        (r"/system.slice/a\x2db.service", Place(unit=r"a\x2db.service")),
        ("/system.slice/__odd.service", Place(unit="_odd.service")),
        (f"{SLICE}/session-3.scope", Place(unit="session-3.scope")),
        (f"{SLICE}/user@1000.service/app.slice/x.service", Place(unit="x.service", user=1000)),
        (
            f"{SLICE}/user@1000.service/init.scope",
            Place(unit="user@1000.service", user=1000, manager=True),
        ),
        (f"/system.slice/docker-{ID}.scope", Place(engine="docker", container=ID)),
        (f"/docker/{ID}", Place(engine="docker", container=ID)),
        (f"/docker/{ID}/system.slice/ssh.service", Place("ssh.service", None, "docker", ID)),
        (f"/docker/{ID}/init.scope", Place(None, None, "docker", ID, manager=True)),
        (f"/machine.slice/libpod-{ID}.scope/container", Place(engine="podman", container=ID)),
        (f"/machine.slice/libpod-conmon-{ID}.scope", Place(unit=f"libpod-conmon-{ID}.scope")),
        (
            f"{SLICE}/user@1000.service/user.slice/libpod-{ID}.scope/container",
            Place(engine="podman", container=ID),
        ),
        (f"/libpod_parent/libpod-{ID}", Place(engine="podman", container=ID)),
        (
            f"/kubepods.slice/kubepods-pod7.slice/cri-containerd-{ID}.scope",
            Place(engine="kubernetes", container=ID),
        ),
        (f"/kubepods/besteffort/pod7/{ID}", Place(engine="kubernetes", container=ID)),
        (f"/somewhere/{ID}", Place(engine="unknown", container=ID)),
        ("/lxc.payload.web", Place(engine="lxc", container="web")),
        ("/lxc/web/system.slice/ssh.service", Place("ssh.service", None, "lxc", "web")),
        ("/lxc.payload/web", Place(engine="lxc", container="web")),
        ("/lxc.monitor.web", Place()),
        (
            "/machine.slice/systemd-nspawn@web.service/payload/system.slice/ssh.service",
            Place("ssh.service", None, "nspawn", "web"),
        ),
        (r"/machine.slice/machine-a\x2db.scope/payload", Place(engine="nspawn", container="a-b")),
        (r"/machine.slice/machine-lxc\x2d7\x2dweb.scope", Place(engine="lxc", container="web")),
        (
            r"/machine.slice/machine-qemu\x2d1\x2dvm.scope",
            Place(unit=r"machine-qemu\x2d1\x2dvm.scope"),
        ),
    ],
)
def test_a_path_names_unit_and_container(path: str, place: Place) -> None:
    assert cgroups.parse(path) == place


@given(st.text("abc/.@-\\x2d0_servicescopeslice", max_size=80))
def test_any_path_is_read(path: str) -> None:
    place = cgroups.parse(path)
    assert (place.engine is None) == (place.container is None)


@given(st.text())
def test_any_file_of_proc_is_read(text: str) -> None:
    assert all(path.startswith("/") for path in cgroups.parse_membership(text))
    cgroups.parse_mounts(text)


def test_of_two_hierarchies_the_one_that_knows_a_container_counts() -> None:
    text = (
        f"1:name=systemd:/docker/{ID}\n2:cpu:/docker/{'f' * 64}\n0::/system.slice/docker.service\n"
    )
    assert cgroups.best(cgroups.parse_membership(text)).container == ID
    assert cgroups.best(
        cgroups.parse_membership("0::/\n1:name=systemd:/system.slice/a.service")
    ) == (Place(unit="a.service"))
    assert cgroups.best([]) == Place()


def test_the_trees_are_found_in_mountinfo() -> None:
    pure = r"30 23 0:26 / /sys/fs/cg\040roup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate"
    assert cgroups.parse_mounts(pure) == Mounts("/sys/fs/cg roup", hybrid=False)
    legacy = "30 23 0:26 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd"
    assert cgroups.parse_mounts(legacy) == Mounts(None, hybrid=True, named="/sys/fs/cgroup/systemd")
    assert cgroups.parse_mounts(f"{legacy}\n{pure}") == (
        Mounts("/sys/fs/cg roup", hybrid=True, named="/sys/fs/cgroup/systemd")
    )
    assert cgroups.parse_mounts("") == Mounts(None, hybrid=False)


@pytest.fixture
def group() -> Iterator[Path]:
    unified = cgroups.mounts().unified
    assert unified is not None, "this machine has no cgroup v2 tree"
    outer = Path(unified, f"portward{os.getpid()}.slice")
    inner = outer / "nginx.service"
    inner.mkdir(parents=True)
    yield inner
    inner.rmdir()
    outer.rmdir()


@pytest.mark.root
def test_an_id_leads_to_its_path_by_handle_and_by_walk(group: Path) -> None:
    unified = cgroups.mounts().unified
    assert unified is not None
    number = group.stat().st_ino
    path = f"/{group.parent.name}/{group.name}"
    assert dict(cgroups._by_handle({number}, unified)) == {number: path}
    assert dict(cgroups._by_walk({number}, unified)) == {number: path}
    assert cgroups.paths({number, 1, 0}, unified) == {number: path}


@pytest.mark.root
def test_a_removed_group_is_gone_not_nowhere(group: Path) -> None:
    extra = group / "extra"
    extra.mkdir()
    number = extra.stat().st_ino
    extra.rmdir()
    assert cgroups.paths({number}, cgroups.mounts().unified) == {number: GONE}


def test_without_a_tree_every_id_is_unknown() -> None:
    assert cgroups.paths({42}, None) == {42: NO_TREE}


@pytest.mark.root
def test_a_process_is_found_in_the_group_it_moved_to(group: Path) -> None:
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        (group / "cgroup.procs").write_text(str(child))
        assert cgroups.of_process(child) == Place(unit="nginx.service")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert isinstance(cgroups.of_process(child), Unknown)
