"""Which machine this is: its name, its system, and whether it is one inside another."""

import os
import re
from pathlib import Path
from typing import Literal

from portward.model.host import Machine
from portward.survey.files import exists, read_bytes, read_text, resolve
from portward.survey.shell import assignments

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")  # in this order: os-release(5)
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")  # docker's and podman's mark
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_PRODUCT = "/sys/class/dmi/id/product_name"
_VENDOR = "/sys/class/dmi/id/sys_vendor"
_HYPERVISORS = ("KVM", "QEMU", "VirtualBox", "VMware", "Virtual Machine", "Xen", "Compute Engine")
"""Words that hypervisors write into DMI's vendor or product; asked where the processor is mute."""

_ELF_MACHINES = {
    0x03: "i686",
    0x15: "ppc64le",
    0x16: "s390x",
    0x28: "armv7l",
    0x3E: "x86_64",
    0xB7: "aarch64",
    0xF3: "riscv64",
}
"""e_machine of include/uapi/linux/elf-em.h, in the words of uname(2)."""

_FIRST_PROCESSOR = 8192
"""Bytes of /proc/cpuinfo that hold at least the first processor."""
_MAX_PROGRAM = 64 << 20


def machine(root: Path) -> Machine:
    """Read what names the machine below root; live facts only where root is this machine's."""
    running = root == Path("/")
    facts = assignments(_read(root, _OS_RELEASE[0]) or _read(root, _OS_RELEASE[1]))
    kernel = os.uname() if running else None
    return Machine(
        hostname=kernel.nodename if kernel else _read(root, "/etc/hostname").strip(),
        os_id=facts.get("ID", "linux"),
        os_like=tuple(facts.get("ID_LIKE", "").split()),
        os_version=facts.get("VERSION_ID", ""),
        os_name=facts.get("PRETTY_NAME", facts.get("NAME", "Linux")),
        kernel=kernel.release if kernel else None,
        architecture=kernel.machine if kernel else _architecture(root),
        boot_id=_read(root, _BOOT_ID).strip() or None if running else None,
        inside=_inside(root) if running else None,
    )


def _inside(root: Path) -> str | None:
    """Say whether the machine is a container or a virtual machine; None: no sign of either.

    The signs are those of systemd-detect-virt(1): a container manager tells its PID 1 by the
    variable "container", which systemd notes below /run for everyone; a hypervisor shows in
    the processor's flags or in DMI.
    """
    if _read(root, "/run/systemd/container") or any(
        _exists(root, mark) for mark in _CONTAINER_FILES
    ):
        return "container"
    if "\0container=" in "\0" + _read(root, "/proc/1/environ"):  # root's alone to read
        return "container"
    if _exists(root, "/proc/vz") and not _exists(root, "/proc/bc"):
        return "container"  # OpenVZ and Virtuozzo: only the host has /proc/bc
    virtual = _hypervisor_flag(root)
    if virtual is None:
        hardware = _read(root, _VENDOR) + _read(root, _PRODUCT)
        virtual = any(word in hardware for word in _HYPERVISORS)
    return "vm" if virtual else None


def _hypervisor_flag(root: Path) -> bool | None:
    """Say whether the processor tells of a hypervisor (CPUID leaf 1, ECX bit 31).

    None: this processor has no such flag (only x86 does).
    """
    try:
        with resolve(root, "/proc/cpuinfo").open("rb") as file:
            head = file.read(_FIRST_PROCESSOR)
    except OSError:
        return None
    flags = re.search(rb"^flags\s*:.*", head, re.MULTILINE)
    return None if flags is None else b" hypervisor" in flags[0]


def _architecture(root: Path) -> str | None:
    """Read from the image's own shell which processor it is for (ELF header, elf(5))."""
    try:
        header = read_bytes(root, "/bin/sh", _MAX_PROGRAM)[:20]
    except OSError:
        return None
    if header[:4] != b"\x7fELF":
        return None
    order: Literal["big", "little"] = "big" if header[5:6] == b"\x02" else "little"
    return _ELF_MACHINES.get(int.from_bytes(header[18:20], order))


def _read(root: Path, path: str) -> str:
    """Read a file that need not be there; what cannot be read tells nothing."""
    try:
        return read_text(root, path)
    except OSError:
        return ""


def _exists(root: Path, path: str) -> bool:
    try:
        return exists(root, path)
    except OSError:
        return False
