from pathlib import Path

from portward.model.net import Protocol
from portward.survey.socket_units import SocketUnit, socket_units
from portward.survey.unit_tree import system


def test_a_port_leads_to_its_unit(tmp_path: Path) -> None:
    place = tmp_path / "usr/lib/systemd/system"
    place.mkdir(parents=True)
    (place / "ssh.socket").write_text("[Socket]\nListenStream=22\nAccept=yes\n")
    (place / "cups.socket").write_text("[Socket]\nListenStream=[0:0::1]:631\n")
    (place / "all.socket").write_text("[Socket]\nListenStream=631\n")
    (place / "tftp.socket").write_text("[Socket]\nListenDatagram=0.0.0.0:69\nService=in.service\n")
    (place / "local.socket").write_text("[Socket]\nListenStream=/run/x\n")
    (place / "port@.socket").write_text("[Socket]\nListenStream=%i\n")
    wants = tmp_path / "etc/systemd/system/sockets.target.wants"
    wants.mkdir(parents=True)
    (wants / "port@8080.socket").symlink_to("/usr/lib/systemd/system/port@.socket")
    units = socket_units(system(tmp_path))

    ssh = units.find(Protocol.TCP, "::", 22)
    assert ssh == SocketUnit("ssh.socket", "ssh@.service", "/usr/lib/systemd/system/ssh.socket")
    assert units.find(Protocol.TCP, "0.0.0.0", 22) == ssh  # a machine without IPv6
    assert units.find(Protocol.TCP, "127.0.0.1", 22) is None
    assert units.find(Protocol.UDP, "::", 22) is None

    def name(protocol: Protocol, address: str, port: int) -> str | None:
        unit = units.find(protocol, address, port)
        return unit.name if unit else None

    assert name(Protocol.TCP, "::1", 631) == "cups.socket"
    assert name(Protocol.TCP, "::", 631) == "all.socket"
    assert name(Protocol.UDP, "0.0.0.0", 69) == "tftp.socket"
    assert name(Protocol.TCP, "::", 8080) == "port@8080.socket"
    assert units.named("tftp.socket").activates == "in.service"
    assert units.named("lost.socket") == SocketUnit("lost.socket", "lost.service", None)
