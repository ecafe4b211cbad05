"""portward on another machine, over a real ssh to a real sshd."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portward import flow
from portward.model.errors import UsageError
from portward.model.net import Protocol
from portward.model.scan import PortState
from portward.model.unknown import Unknown
from portward.scan import far
from real_servers import Room

ROOT = Path(__file__).parents[2]
SSHD = """
HostKey /tmp/keys/host
AuthorizedKeysFile /tmp/keys/user.pub
StrictModes no
UsePAM no
PidFile none
PasswordAuthentication no
PermitRootLogin prohibit-password
SetEnv PATH=/tmp/there:/usr/sbin:/usr/bin
"""
CLIENT = """
Host *
    IdentityFile {keys}/user
    StrictHostKeyChecking accept-new
    UserKnownHostsFile {keys}/known
    IdentitiesOnly yes
    LogLevel ERROR
"""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A machine that has portward and sshd; ssh here knows the way, as a person's settings do."""
    here = tmp_path_factory.mktemp("ssh")
    with Room("openssh-server", "openssh-client", "iproute2") as room:
        room.users("sshd")
        room.show(ROOT, Path(sys.base_prefix), Path(sys.prefix))
        room.file(
            "/tmp/there/portward",
            f"#!/bin/sh\nPYTHONPATH={ROOT}/src exec {sys.executable} "
            "-c 'from portward.faces.cli import main; main()' \"$@\"\n",
            mode=0o755,
        )
        room.file("/run/sshd/x")
        room.file("/tmp/keys/x")
        for name in ("host", "user"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"/tmp/keys/{name}"]
            room.run(words)
        keys = room.file("/tmp/keys/x").parent
        (here / "user").write_bytes((keys / "user").read_bytes())
        (here / "user").chmod(0o600)
        room.file("/tmp/sshd.conf", SSHD)
        room.start("/usr/sbin/sshd -D -e -f /tmp/sshd.conf")
        room.wait_for(22)
        (here / "config").write_text(CLIENT.format(keys=here))
        (here / "bin").mkdir()
        wrapper = here / "bin" / "ssh"
        wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {here}/config "$@"\n')
        wrapper.chmod(0o755)
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{wrapper.parent}:{before}"
        yield room
        os.environ["PATH"] = before


@pytest.mark.root
def test_a_snapshot_of_another_machine(there: Room) -> None:
    snapshot = there.inside(lambda: flow.snapshot_of("root@127.0.0.1"))
    assert not isinstance(snapshot.listeners, Unknown)
    assert [one.port for one in snapshot.listeners if one.port == 22]


@pytest.mark.root
def test_a_scan_from_another_machine(there: Room) -> None:
    ports = {Protocol.TCP: (22, 23)}
    seen = there.inside(lambda: flow.scan_from("root@127.0.0.1", ("127.0.0.1",), ports))
    (host,) = seen.hosts
    assert host.states(Protocol.TCP, 22) == {PortState.OPEN}
    assert host.states(Protocol.TCP, 23) == {PortState.CLOSED}


@pytest.mark.root
def test_words_reach_the_other_machine_as_they_are(there: Room) -> None:
    evil = "$(touch /tmp/owned); `touch /tmp/owned` | x"
    with pytest.raises(UsageError, match=r"127\.0\.0\.1"):
        there.inside(lambda: far.run("root@127.0.0.1", ("scan", "--", evil)))
    assert "owned" not in there.run("ls /tmp")


@pytest.mark.root
def test_what_goes_wrong_there_is_said_in_one_line(there: Room) -> None:
    def say(destination: str, *words: str) -> str:
        with pytest.raises(UsageError) as caught:
            there.inside(lambda: far.run(destination, words))
        return str(caught.value)

    assert "no command" not in say("root@127.0.0.1", "explain", "nothing-of-that-name")
    assert say("root@nowhere.invalid", "snapshot").startswith("root@nowhere.invalid: ssh: ")
    there.run("mv /tmp/there/portward /tmp/there/away")
    said = say("root@127.0.0.1", "snapshot")
    there.run("mv /tmp/there/away /tmp/there/portward")
    assert said == "root@127.0.0.1: portward is not there (install it there)"


@pytest.mark.root
def test_endless_output_is_cut(there: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far, "MAX_BYTES", 100_000)
    there.run("mv /tmp/there/portward /tmp/there/away")
    there.file("/tmp/there/portward", "#!/bin/sh\nexec yes $(yes | head -c 50)\n", mode=0o755)
    with pytest.raises(UsageError, match="printed more than"):
        there.inside(lambda: far.run("root@127.0.0.1", ("snapshot",)))
    there.file("/tmp/there/portward", "#!/bin/sh\nexec yes >&2\n", mode=0o755)
    monkeypatch.setattr(far, "_SECONDS", 2)
    with pytest.raises(UsageError, match="took longer"):
        there.inside(lambda: far.run("root@127.0.0.1", ("snapshot",)))
    there.run("mv /tmp/there/away /tmp/there/portward")


@pytest.mark.parametrize(
    "destination", ["-oProxyCommand=evil", "a b", "x;y", "", "$(x)", "root@", "root@-x", "a\nb"]
)
def test_what_is_no_place_never_reaches_ssh(destination: str) -> None:
    with pytest.raises(UsageError, match="is no place for ssh"):
        far.run(destination, ("snapshot",))
