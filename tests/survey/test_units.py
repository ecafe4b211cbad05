import os
import subprocess
from pathlib import Path

import pytest

from portward.model.host import Unit
from portward.model.unknown import Maybe
from portward.survey import units as survey
from portward.survey.units import parse_list_units, units

SERVICE = "[Service]\nExecStart=/usr/sbin/{0}\n"
INSTALL = "[Install]\nWantedBy=multi-user.target\n"


def owner(path: str) -> Maybe[str | None]:
    return path.rpartition("/")[2]


def write(root: Path, path: str, text: str = "", mode: int = 0o644) -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(mode)


def link(root: Path, path: str, target: str) -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


LIB, ETC = "/usr/lib/systemd/system", "/etc/systemd/system"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    root = tmp_path
    link(root, "/lib", "usr/lib")
    link(root, "/sbin", "usr/sbin")
    link(root, "/usr/sbin/init", "/lib/systemd/systemd")
    write(root, "/usr/lib/systemd/systemd")
    for name in ("nginx", "ssh", "cups", "exim4", "masked", "empty", "linked"):
        write(root, f"{LIB}/{name}.service", SERVICE.format(name) + INSTALL)
    write(root, f"{LIB}/ssh.service", SERVICE.format("sshd") + INSTALL + "Alias=sshd.service\n")
    write(root, f"{LIB}/static.service", SERVICE.format("static"))
    write(root, f"{LIB}/also.service", SERVICE.format("also") + "[Install]\nAlso=cups.socket\n")
    write(root, f"{LIB}/postgresql@.service", SERVICE.format("postgres") + INSTALL)
    write(root, f"{LIB}/cups.socket", "[Socket]\nListenStream=/run/cups/cups.sock\n" + INSTALL)
    write(root, f"{LIB}/cups.path", "[Path]\nPathExists=/x\n" + INSTALL)
    write(root, f"{ETC}/cups.socket.d/net.conf", "[Socket]\nListenStream=631\n")
    wants = f"{ETC}/multi-user.target.wants"
    link(root, f"{wants}/nginx.service", "/lib/systemd/system/nginx.service")
    link(root, f"{wants}/cups.socket", "/lib/systemd/system/cups.socket")
    link(root, f"{wants}/postgresql@15-main.service", "/lib/systemd/system/postgresql@.service")
    link(root, f"{ETC}/sshd.service", "/lib/systemd/system/ssh.service")
    link(root, f"{LIB}/multi-user.target.wants/static.service", "../static.service")
    link(root, f"{ETC}/other.service", "/lib/systemd/system/exim4.service")
    write(
        root, f"{LIB}/getty@.service", SERVICE.format("agetty") + INSTALL + "DefaultInstance=tty1\n"
    )
    link(root, f"{wants}/getty@tty1.service", "/lib/systemd/system/getty@.service")
    link(root, f"{ETC}/masked.service", "/dev/null")
    write(root, f"{ETC}/empty.service")
    write(root, "/opt/own.service", SERVICE.format("own"))
    link(root, f"{ETC}/own.service", "/opt/own.service")
    return root


def by_name(found: Maybe[tuple[Unit, ...]]) -> dict[str, Unit]:
    assert isinstance(found, tuple)
    return {unit.name: unit for unit in found}


def test_states_are_those_of_systemctl(image: Path) -> None:
    """systemctl itself reads the same image and is the judge."""
    answer = subprocess.run(
        ["systemctl", f"--root={image}", "list-unit-files", "--no-legend", "--no-pager", "--full"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"LC_ALL": "C"},
    )
    judged = dict(line.split()[:2] for line in answer.stdout.splitlines() if line.strip())
    ours = {unit.name: unit.state for unit in by_name(units(image, owner)).values()}
    shared = {
        name: state for name, state in judged.items() if name.endswith((".service", ".socket"))
    }
    assert ours == shared | dict.fromkeys(
        ["postgresql@15-main.service", "getty@tty1.service"], "enabled"
    )
    assert set(ours.values()) >= {"enabled", "disabled", "static", "masked", "alias", "indirect"}


def test_the_source_of_a_generated_unit_is_named(image: Path) -> None:
    text = "[Unit]\nSourcePath=/etc/containers/systemd/web.container\n" + SERVICE.format("podman")
    write(image, "/run/systemd/generator/web.service", text)
    write(image, "/run/systemd/transient/job.service", SERVICE.format("job"))
    found = by_name(units(image, owner))
    web, job = found["web.service"], found["job.service"]
    assert (web.state, web.source) == ("generated", "/etc/containers/systemd/web.container")
    assert (job.state, job.source) == ("transient", None)


def test_what_listens_and_what_starts_what(image: Path) -> None:
    found = by_name(units(image, owner))
    socket, service = found["cups.socket"], found["cups.service"]
    assert socket.listens == ("/run/cups/cups.sock", "631")
    assert socket.triggers == ("cups.service",)
    assert service.triggered_by == ("cups.path", "cups.socket")
    assert service.package == "cups.service"
    assert found["postgresql@15-main.service"].file == f"{LIB}/postgresql@.service"


def test_scripts_of_sysv_and_rc_local(image: Path) -> None:
    write(image, "/etc/init.d/legacy", "#!/bin/sh\n", 0o755)
    write(image, "/etc/init.d/off.sh", "#!/bin/sh\n", 0o755)
    write(image, "/etc/init.d/nginx", "#!/bin/sh\n", 0o755)
    write(image, "/etc/init.d/README", "text")
    write(image, "/etc/rc.local", "#!/bin/sh\n", 0o755)
    link(image, "/etc/rc2.d/S01legacy", "../init.d/legacy")
    link(image, "/etc/rc0.d/K01off.sh", "../init.d/off.sh")
    found = by_name(units(image, owner))
    shown = {
        (unit.name, unit.manager, unit.state, unit.file)
        for unit in found.values()
        if unit.manager in {"sysv", "rc"}
    }
    assert shown == {
        ("legacy.service", "sysv", "enabled", "/etc/init.d/legacy"),
        ("off.service", "sysv", "disabled", "/etc/init.d/off.sh"),
        ("rc-local.service", "rc", "enabled", "/etc/rc.local"),
    }
    assert found["nginx.service"].manager == "system"  # the native unit takes the script's place


def test_where_another_init_boots_the_script_counts(image: Path) -> None:
    (image / "usr/sbin/init").unlink()
    write(image, "/usr/sbin/init")
    write(image, "/etc/init.d/nginx", "#!/bin/sh\n", 0o755)
    found = units(image, owner)
    assert isinstance(found, tuple)
    assert [unit.manager for unit in found if unit.name == "nginx.service"] == ["system", "sysv"]


def test_units_of_users(image: Path) -> None:
    write(image, "/etc/passwd", "ann:x:1000:1000::/home/ann:/bin/sh\n")
    write(image, "/usr/lib/systemd/user/pulse.socket", "[Socket]\nListenStream=4713\n" + INSTALL)
    write(image, "/home/ann/.config/systemd/user/own.service", SERVICE.format("own"))
    wants = "/home/ann/.config/systemd/user/sockets.target.wants"
    link(image, f"{wants}/pulse.socket", "/usr/lib/systemd/user/pulse.socket")
    found = units(image, owner)
    assert isinstance(found, tuple)
    assert [(one.name, one.state) for one in found if one.manager == "user"] == [
        ("pulse.socket", "disabled"),
        ("own.service", "static"),
        ("pulse.socket", "enabled"),
    ]


def test_links_that_lead_out_of_the_image_stay_inside(image: Path) -> None:
    write(image, "/srv/real.socket", "[Socket]\nListenStream=7\n")
    link(image, f"{ETC}/out.socket", "/../../../../srv/real.socket")
    assert by_name(units(image, owner))["out.socket"].listens == ("7",)


def test_links_in_a_circle_end(image: Path) -> None:
    link(image, f"{ETC}/a.service", "b.service")
    link(image, f"{ETC}/b.service", "a.service")
    assert by_name(units(image, owner))["a.service"].state == "alias"


def test_a_tree_without_units(tmp_path: Path) -> None:
    assert units(tmp_path, owner) == ()


def test_activity_is_read_or_said_to_be_unknown() -> None:
    found = survey.active_units(owner)
    assert isinstance(found, tuple)
    if not Path("/run/systemd/system").is_dir():
        assert {unit.active for unit in found if unit.manager == "system"} == {survey.NO_SYSTEMD}
    listed = parse_list_units(
        "ssh.service loaded active running OpenBSD\n\nx\nb.socket a failed b c"
    )
    assert listed == {"ssh.service": "active", "b.socket": "failed"}
