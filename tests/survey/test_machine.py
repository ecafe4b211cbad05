import os
from pathlib import Path

import pytest

from portward.survey.machine import _inside, machine


def write(root: Path, path: str, text: str | bytes) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_the_running_machine() -> None:
    found = machine(Path("/"))
    assert found.hostname == os.uname().nodename
    assert found.kernel == os.uname().release
    assert found.architecture == os.uname().machine
    assert found.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_an_image(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/os-release", 'ID=ubuntu\nID_LIKE="debian x"\nVERSION_ID="24.04"\n')
    (tmp_path / "etc").mkdir()
    # Absolute: it means the file of the image, never our own.
    (tmp_path / "etc/os-release").symlink_to("/usr/lib/os-release")
    write(tmp_path, "etc/hostname", "web7\n")
    write(tmp_path, "bin/sh", b"\x7fELF\x02\x01" + bytes(12) + b"\xb7\0")
    found = machine(tmp_path)
    assert (found.hostname, found.os_id, found.os_like) == ("web7", "ubuntu", ("debian", "x"))
    assert (found.os_version, found.os_name) == ("24.04", "Linux")
    assert found.architecture == "aarch64"
    assert (found.kernel, found.boot_id, found.inside) == (None, None, None)


def test_an_empty_tree(tmp_path: Path) -> None:
    found = machine(tmp_path)
    assert (found.hostname, found.os_id, found.architecture) == ("", "linux", None)


@pytest.mark.parametrize(
    ("path", "text", "inside"),
    [
        ("run/systemd/container", "lxc\n", "container"),
        (".dockerenv", "", "container"),
        ("run/.containerenv", "", "container"),
        ("proc/1/environ", "PATH=/bin\0container=podman\0", "container"),
        ("proc/1/environ", "PATH=/bin\0nocontainer=1\0", None),
        ("proc/vz/version", "", "container"),
        ("proc/cpuinfo", "processor : 0\nflags\t\t: fpu hypervisor lahf_lm\n", "vm"),
        ("proc/cpuinfo", "processor : 0\nflags\t\t: fpu lahf_lm\n", None),
        ("sys/class/dmi/id/product_name", "KVM Virtual Machine\n", "vm"),
        ("sys/class/dmi/id/product_name", "PowerEdge R740\n", None),
        ("etc/hostname", "x", None),
    ],
)
def test_signs_of_a_container_or_a_virtual_machine(
    tmp_path: Path, path: str, text: str, inside: str | None
) -> None:
    write(tmp_path, path, text)
    assert _inside(tmp_path) == inside
