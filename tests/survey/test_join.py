from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from portward.model.host import (
    HOST,
    Container,
    ExeState,
    InetdLine,
    Kernel,
    Listener,
    Process,
    PublishedPort,
)
from portward.model.net import Family, Protocol
from portward.model.unknown import NEEDS_ROOT, Maybe, Unknown
from portward.survey.cgroups import Place
from portward.survey.containers import Containers
from portward.survey.join import IN_IMAGE, NO_SOCKET_UNIT, OTHER_TREE, Held, Known, join
from portward.survey.processes import Seen
from portward.survey.socket_units import SocketUnit, SocketUnits
from portward.survey.sockets import Socket
from portward.survey.unit_files import Endpoint

ID = "0123456789abcdef" * 4
SOCKET = Socket(
    protocol=Protocol.TCP,
    family=Family.DUAL,
    address="::",
    port=80,
    device=0,
    inode=100,
    cgroup=7,
    uid=0,
    backlog=128,
    mptcp=False,
    filtered=False,
)
NGINX = Process(
    pid=10,
    name="nginx",
    exe="/usr/sbin/nginx",
    exe_state=ExeState.PRESENT,
    cmdline=("nginx: master process",),
    uid=0,
    user="root",
    started=datetime(2026, 1, 1, tzinfo=UTC),
)
SYSTEMD = replace(NGINX, pid=1, name="systemd", exe="/usr/lib/systemd/systemd")
WEB = Container(
    name="web",
    id=ID,
    engine="docker",
    image="nginx",
    published=(
        PublishedPort(protocol=Protocol.TCP, address="0.0.0.0", port=8080, container_port=80),
    ),
)
LINE = InetdLine(
    file="/etc/inetd.conf",
    line=3,
    service="telnet",
    protocol=Protocol.TCP,
    port=23,
    user="root",
    program="/usr/sbin/telnetd",
    package="telnetd",
)
SSH = SocketUnit("ssh.socket", "ssh@.service", "/usr/lib/systemd/system/ssh.socket")


def package(path: str) -> Maybe[str | None]:
    names = {"/usr/sbin/nginx": "nginx", "/usr/lib/systemd/systemd": "systemd"}
    return "openssh-server" if path == SSH.file else names.get(path)


KNOWN = Known(
    containers=Containers((WEB,), ()),
    managers={
        (None, None, None): SocketUnits([(SSH, Endpoint(Protocol.TCP, None, 22))]),
        (None, None, 77): SocketUnits([(SSH, Endpoint(Protocol.TCP, None, 22))]),
    },
    inetd=(LINE,),
    package=package,
    user={1000: "ann"}.get,
)


def held(process: Process = NGINX, *, ours: bool = True, **changes: Any) -> Held:
    base = Held(
        socket=SOCKET,
        namespace=HOST,
        device=None,
        holders=(process.pid,),
        process=Seen(process, ours),
        place=Place(unit="nginx.service"),
        holder_place=None,
    )
    return base._replace(**changes)


def one(*sockets: Held) -> Listener:
    (listener,) = join(list(sockets), KNOWN)
    return listener


def test_a_service_is_named_with_all_that_is_its_own() -> None:
    listener = one(held())
    assert (listener.process, listener.unit, listener.package) == (NGINX, "nginx.service", "nginx")
    assert (listener.container, listener.inetd, listener.activates) == (None, None, None)
    assert listener.inodes == (100,)


def test_workers_that_share_a_socket_are_sharers() -> None:
    listener = one(held(holders=(10, 11, 12)))
    assert listener.process == replace(NGINX, sharers=(11, 12))


def test_twins_of_one_program_are_one_listener() -> None:
    twin = replace(NGINX, pid=11)
    listener = one(held(twin, socket=SOCKET._replace(inode=101)), held())
    assert listener.process == replace(NGINX, sharers=(11,))
    assert set(listener.inodes) == {100, 101}


@pytest.mark.parametrize(
    "other",
    [
        held(replace(NGINX, pid=66, exe="/tmp/.x")),
        held(namespace="web"),
        held(place=Place(unit="evil.service")),
        held(socket=SOCKET._replace(uid=1000)),
        held(socket=SOCKET._replace(address="127.0.0.1")),
        held(socket=SOCKET._replace(port=81)),
    ],
)
def test_what_differs_is_no_twin(other: Held) -> None:
    assert len(join([held(), other], KNOWN)) == 2


def test_a_port_that_systemd_holds_has_the_socket_unit_and_its_package() -> None:
    socket = SOCKET._replace(port=22)
    listener = one(held(SYSTEMD, socket=socket, place=Place(manager=True)))
    assert (listener.unit, listener.activates) == ("ssh.socket", "ssh@.service")
    assert listener.package == "openssh-server"


def test_the_service_that_systemd_passed_its_port_to() -> None:
    socket = SOCKET._replace(port=22)
    sshd = replace(NGINX, pid=50, name="sshd", exe="/usr/sbin/sshd")
    place = Place(unit="ssh.socket")
    listener = one(held(sshd, socket=socket, holders=(50, 1), place=place))
    assert isinstance(listener.process, Process)
    assert (listener.process.pid, listener.process.sharers) == (50, (1,))
    assert (listener.unit, listener.activates) == ("ssh.socket", "ssh@.service")


def test_a_port_of_systemd_that_no_unit_names() -> None:
    listener = one(held(SYSTEMD, place=Place(manager=True)))
    assert listener.unit == NO_SOCKET_UNIT
    service = Place(unit="app.service")
    listener = one(held(holders=(10, 1), place=Place(manager=True), holder_place=service))
    assert listener.unit == "app.service"


def test_socket_units_of_another_tree_have_packages_of_another_tree() -> None:
    socket = SOCKET._replace(port=22)
    place = Place(manager=True)
    listener = one(held(SYSTEMD, ours=False, socket=socket, place=place, tree=77))
    assert (listener.unit, listener.package) == ("ssh.socket", OTHER_TREE)


def test_a_unit_of_a_user() -> None:
    assert one(held(place=Place(unit="x.service", user=1000))).unit_user == "ann"
    assert one(held(place=Place(unit="x.service", user=1001))).unit_user == "1001"


def test_a_container_by_its_cgroup() -> None:
    listener = one(held(ours=False, place=Place(engine="docker", container=ID)))
    assert (listener.container, listener.unit, listener.package) == ("web", None, IN_IMAGE)
    listener = one(held(ours=False, place=Place(engine="podman", container=ID)))
    assert listener.container == ID[:12]


def test_the_proxy_of_docker_belongs_to_the_container_it_serves() -> None:
    proxy = replace(NGINX, name="docker-proxy", exe="/usr/bin/docker-proxy")
    socket = SOCKET._replace(port=8080, address="0.0.0.0")
    place = Place(unit="docker.service")
    listener = one(held(proxy, socket=socket, place=place))
    assert (listener.container, listener.unit) == ("web", "docker.service")
    for other in (
        held(proxy, socket=socket._replace(port=9090), place=place),
        held(proxy, socket=socket, place=place, ours=False),
    ):
        assert isinstance(one(other).container, Unknown)


def test_a_port_of_inetd_has_its_line() -> None:
    inetd = replace(NGINX, name="inetd", exe="/usr/sbin/inetutils-inetd")
    socket = SOCKET._replace(port=23)
    assert one(held(inetd, socket=socket)).inetd == LINE
    assert one(held(inetd, socket=socket._replace(protocol=Protocol.UDP))).inetd is None
    assert one(held(socket=socket)).inetd is None
    assert one(held(inetd, socket=socket, ours=False)).inetd is None  # it reads other files


def test_a_port_of_the_kernel() -> None:
    listener = one(held()._replace(process=Kernel(name="nfsd"), holders=(), place=NEEDS_ROOT))
    assert listener.process == Kernel(name="nfsd")
    assert (listener.unit, listener.package, listener.container) == (None, None, None)


def test_nobody_is_not_unknown() -> None:
    nobody = one(held()._replace(process=None, holders=(), place=Place()))
    assert (nobody.process, nobody.unit, nobody.package, nobody.container) == (None,) * 4
    hidden = one(held()._replace(process=NEEDS_ROOT, holders=(), place=NEEDS_ROOT))
    assert (hidden.process, hidden.unit, hidden.package, hidden.container) == (NEEDS_ROOT,) * 4


def test_a_unit_is_known_though_the_process_is_hidden() -> None:
    listener = one(held()._replace(process=NEEDS_ROOT, holders=()))
    assert (listener.process, listener.unit) == (NEEDS_ROOT, "nginx.service")


def test_a_program_in_memory_has_no_package() -> None:
    implant = replace(NGINX, exe="/memfd:x", exe_state=ExeState.MEMORY)
    assert one(held(implant)).package is None
    assert one(held(replace(NGINX, exe=NEEDS_ROOT))).package == NEEDS_ROOT
