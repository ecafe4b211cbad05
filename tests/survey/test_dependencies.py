import os
import re
import subprocess
from pathlib import Path

from portward.model.host import Package
from portward.survey.dependencies import Relations, required_by
from portward.survey.dpkg import Dpkg, parse_status


def test_a_dependency_is_needed_where_nothing_else_fulfils_it() -> None:
    found = required_by(
        [
            Relations("app", depends="lib (>= 2), mta | mail-agent, shell:any | other"),
            Relations("lib"),
            Relations("exim", provides="mail-agent, smtp (= 1)"),
            Relations("shell", pre_depends="lib [amd64]"),
            Relations("self", depends="virtual-self", provides="virtual-self"),
        ]
    )
    assert found == {"lib": ("app", "shell"), "exim": ("app",), "shell": ("app",)}


def test_of_two_that_fulfil_it_neither_is_needed_alone() -> None:
    found = required_by(
        [Relations("app", depends="a | b"), Relations("a"), Relations("b"), Relations("c")]
    )
    assert found == {}


def test_status_tells_what_dpkg_keeps() -> None:
    text = """Package: udev
Status: install ok installed
Priority: important
Version: 1

Package: init
Status: install ok installed
Protected: yes
Depends: udev
Version: 1

Package: gone
Status: deinstall ok config-files
Depends: udev
Version: 1
"""
    udev, init = parse_status(text.encode())
    assert (udev.priority, udev.protected, udev.required_by) == ("important", False, ("init",))
    assert (init.priority, init.protected, init.required_by) == (None, True, ())


def test_dependents_are_those_that_dpkg_names() -> None:
    installed = Dpkg(Path("/")).installed()
    asked = [one for one in installed if one.required_by and not one.protected][::20]
    assert asked
    for one in asked:
        command = ["dpkg", "--no-act", "--remove", one.name]
        shown = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
        ).stderr
        named = re.findall(r"^ (\S+) (?:pre-)?depends on ", shown, re.MULTILINE)
        assert {name.partition(":")[0] for name in named} == set(required(one)), one.name


def required(package: Package) -> tuple[str, ...]:
    assert isinstance(package.required_by, tuple)
    return package.required_by
