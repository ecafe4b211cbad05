"""What sysctl.d sets: systemd-sysctl itself is the judge, in namespaces of the test's own."""

import shutil
import subprocess
from pathlib import Path

import pytest

from portward.model.host import Sysctl
from portward.model.unknown import Unknown
from portward.survey.sysctls import sysctls

pytestmark = pytest.mark.root

JUDGE = next(
    (
        path
        for path in ("/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl")
        if shutil.which(path)
    ),
    None,
)

# Bind the image's directories over ours, so that the judge reads them; then print each setting.
SCRIPT = """
set -e
root=$1; judge=$2; shift 2
for directory in /etc/sysctl.d /run/sysctl.d /usr/local/lib/sysctl.d /usr/lib/sysctl.d; do
    mkdir -p "$root$directory"
    [ -d "$directory" ] || continue
    mount --bind "$root$directory" "$directory"
done
"$judge" >&2 || true  # it fails for a line that is no assignment, and goes on
for path; do printf '%s=%s\\n' "$path" "$(cat "/proc/sys/$path")"; done
"""

CASES = {
    "plain": {"etc/sysctl.d/a.conf": "net.ipv4.tcp_syncookies = 0\nnet/ipv4/ip_forward=1\n"},
    "order": {
        "etc/sysctl.d/10.conf": "net.ipv4.tcp_syncookies=2\nnet.ipv4.tcp_rfc1337=1\n",
        "usr/lib/sysctl.d/50.conf": "net.ipv4.tcp_syncookies=0\n-net.ipv4.not_there=1\n",
    },
    "mask": {
        "etc/sysctl.d/50.conf": "",
        "etc/sysctl.d/60.conf": "net.ipv4.tcp_rfc1337=1\n",
        "usr/lib/sysctl.d/50.conf": "net.ipv4.tcp_syncookies=0\n",
    },
    "glob": {
        "etc/sysctl.d/a.conf": (
            "net.ipv4.conf.*.rp_filter = 1\n"
            "net.ipv4.conf.lo.rp_filter = 2\n"
            "-net.ipv4.conf.default.rp_filter\n"
            "net.ipv4.conf.[al]*.log_martians = 1\n"
            "net.ipv4.*.log_martians = 0\n"
        )
    },
    "repeated value": {
        "etc/sysctl.d/a.conf": (
            "net.ipv4.conf.l*.rp_filter=1\n"
            "net.ipv4.conf.*.rp_filter=2\n"
            "net.ipv4.conf.l*.rp_filter=1\n"
        )
    },
    "forwarding": {
        "etc/sysctl.d/a.conf": (
            "net.ipv4.conf.lo.forwarding=0\n"
            "net.ipv4.conf.all.forwarding=1\n"
            "net.ipv6.conf.lo.forwarding=0\n"
            "net.ipv6.conf.all.forwarding=1\n"
            "net.ipv6.conf.default.forwarding=0\n"
        )
    },
    "forwarding back": {
        "etc/sysctl.d/a.conf": "net.ipv4.conf.all.forwarding=1\nnet.ipv4.ip_forward=0\n"
    },
    "odd lines": {
        "etc/sysctl.d/a.conf": (
            "  ; comment\n"
            "no assignment\n"
            "net.ipv4.tcp_syncookies\n"
            " -  net.ipv4.tcp_rfc1337 =  1 \n"
            "net.ipv4.ip_local_port_range = 20000\t 30000\n"
        )
    },
}


@pytest.mark.parametrize("files", CASES.values(), ids=list(CASES))
def test_systemd_sysctl_does_what_we_say(tmp_path: Path, files: dict[str, str]) -> None:
    if JUDGE is None:
        pytest.skip("needs systemd-sysctl")
    program = tmp_path / "usr/lib/systemd/systemd-sysctl"
    for path, text in files.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    program.parent.mkdir(parents=True)
    program.touch()
    # An image has no interfaces; a new namespace has lo.
    said = _boot(sysctls(tmp_path))
    assert said
    paths = [key.translate(str.maketrans("./", "/.")) for key in said]
    printed = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", SCRIPT, "sh", tmp_path, JUDGE, *paths],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    done = dict(line.split("=", 1) for line in printed.splitlines())
    assert {path: " ".join(value.split()) for path, value in done.items()} == dict(
        zip(paths, said.values(), strict=True)
    )


def _boot(found: tuple[Sysctl, ...] | Unknown) -> dict[str, object]:
    assert not isinstance(found, Unknown)
    return {setting.key: setting.boot for setting in found if setting.boot is not None}
