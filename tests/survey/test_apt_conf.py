import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.survey.apt_conf import Configuration, Statement, load, statements

TEXT = r"""
APT::Periodic::Enable "1"; // a comment
Demo { Periodic { Lists "1"; Upgrade 0; }; Other "x" { Sub "y"; }; };
Demo::Origins { "a:b"; "c:d"; # c "z";
  e:f; };
Demo::Origins:: "g";
demo::address "http://x//y";
Demo::Two "a" "b";
/* Demo::Gone "1"; */ Demo::Bare yes;
Demo::List { "1"; };
#clear Demo::List;
Demo::List { "2"; };
# comment { ; }
Demo::Multi
  "line";
Demo::Hash "x # y"; Demo::Cut w#hash
;
Demo::Last { C { "k"; } D "1" }
"""


def configuration(text: str) -> Configuration:
    found = Configuration()
    for statement in statements(text):
        found.apply(statement)
    return found


def test_everything_is_read_as_apt_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "conf"
    file.write_text(TEXT)
    command = ["apt-config", "-c", str(file), "dump", "--format", "%F\t%v%n"]
    dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ours = configuration(TEXT)
    seen = 0
    lists: dict[str, list[str]] = {}
    for line in dump.splitlines():
        name, _, value = line.partition("\t")
        if not name.lower().startswith(("demo::", "apt::periodic::")):
            continue
        seen += 1
        if name.endswith("::"):
            lists.setdefault(name.removesuffix("::"), []).append(value)
        else:
            assert ours.value(name) == value, name
    for name, items in lists.items():
        assert ours.items(name) == tuple(items), name
    assert seen > 20


def test_files_are_read_in_the_order_of_apt(tmp_path: Path) -> None:
    parts = tmp_path / "etc/apt/apt.conf.d"
    parts.mkdir(parents=True)
    for name in ("10first", "20second.conf", "30.ignored", "40old.bak", "50more"):
        (parts / name).write_text(f'Last "{name}"; Seen:: "{name}"; Only::{name[:2]} "1";')
    (parts / "60include").write_text('#include "/etc/other";')
    (tmp_path / "etc/other").write_text('Seen:: "other"; #include "/etc/other";')
    (tmp_path / "etc/apt/apt.conf").write_text('Last "main";')
    found = load(tmp_path)
    assert found.value("LAST") == "main"
    assert found.items("Seen")[:3] == ("10first", "20second.conf", "50more")
    assert set(found.items("Seen")[3:]) == {"other"}
    assert found.value("Only::30", "default") == "default"


def test_no_configuration_is_empty(tmp_path: Path) -> None:
    assert load(tmp_path).value("APT::Periodic::Enable", "1") == "1"


@pytest.mark.parametrize("text", ['A "', "A { B", "}}} A 1;", "/*", "#clear", '"";', "A::;", ";;{"])
def test_broken_files_do_no_harm(text: str) -> None:
    assert isinstance(configuration(text).value("A"), str)


@given(st.text('aA:"{}; \n#/*1', max_size=60))
def test_any_text_is_read(text: str) -> None:
    for statement in statements(text):
        assert isinstance(statement, Statement)
        assert statement.name
