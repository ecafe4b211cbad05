"""Whether an update waits for a reboot: what it left in /run, and the installed kernels."""

import os
import re
from functools import cmp_to_key
from pathlib import Path

from portward.model.unknown import Maybe, Unknown
from portward.survey.debian_version import compare
from portward.survey.files import exists, names, read_text

_FLAG = "run/reboot-required"
"""Made by packages of Debian and Ubuntu that know to ask for it."""
_MODULES = ("usr/lib/modules", "lib/modules")

# "6.1.0-18-cloud-amd64", "6.12.43+deb13-amd64", "6.5.6-300.fc39.x86_64": a version, then the
# flavour. Another flavour that is installed beside is not newer, it is another kernel.
_RELEASE = re.compile(
    r"(?P<version>[0-9][0-9.]*(?:[-+~.](?:[0-9]+|(?:deb|bpo|fc|el|rc|amzn)[0-9][0-9_.u+~]*))*)"
    r"(?P<flavour>.*)"
)


def reboot() -> tuple[Maybe[bool], str | None]:
    """Say whether this machine should be rebooted, and why it is thought so."""
    root = Path("/")
    if exists(root, _FLAG):
        return True, _flagged(root)
    try:
        kernels = {name for place in _MODULES for name in names(root, place)}
    except OSError as error:
        return Unknown(f"the installed kernels cannot be listed: {error.strerror}"), None
    # A directory may outlive its kernel's package; the kernel itself has left these files.
    kernels = {
        name
        for name in kernels
        if exists(root, f"boot/vmlinuz-{name}") or exists(root, f"lib/modules/{name}/vmlinuz")
    }
    return newer_kernel(os.uname().release, kernels)


def newer_kernel(running: str, installed: set[str]) -> tuple[Maybe[bool], str | None]:
    """Compare the running kernel with the installed ones of its flavour."""
    if not installed:
        return False, "no kernel is installed here: it comes from outside"
    if running not in installed:
        known = ", ".join(sorted(installed))
        return Unknown(f"the running kernel {running} is none of those installed ({known})"), None
    like = [name for name in installed if _flavour(name) == _flavour(running)]
    newest = max(like, key=cmp_to_key(compare))
    if newest == running:
        return False, None
    return True, f"kernel {newest} is installed, {running} runs"


def _flavour(release: str) -> str:
    match = _RELEASE.fullmatch(release)
    return match["flavour"] if match else release


def _flagged(root: Path) -> str:
    try:
        packages = sorted(set(read_text(root, f"{_FLAG}.pkgs").split()))
    except OSError:
        packages = []
    return f"{_FLAG} asks for it" + (f": {', '.join(packages)}" if packages else "")
