"""Rules in nft's own text, through nft itself."""

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from portward.model.errors import UsageError
from portward.reach import nft_json, offline
from portward.reach.matrix import matrix
from portward.reach.ruleset import Kind, Ruleset
from portward.survey import nft_text, tools
from reach.sites import site

CAPTURES = Path(__file__).parent.parent / "captures" / "rulesets"
pytestmark = pytest.mark.root


def read(text: str, *interfaces: str) -> Ruleset:
    """Read rules as portward does."""
    assert offline.is_nft_text(text.encode())
    return nft_json.read(nft_text.listed(text.encode(), "rules", interfaces).decode())


def answers(ruleset: Ruleset) -> tuple[set[object], set[object]]:
    """Return what all sources can reach, whichever tool's words the rules are in."""
    found = matrix(site(ruleset))
    classes = {one.name: (one.interfaces, one.family, one.networks) for one in found.classes}
    return set(classes.values()), {
        (classes[one.source], replace(one, source="", decided_by=())) for one in found.reach
    }


@pytest.mark.parametrize(
    "name", ["docker", "docker_only_bridge", "podman", "podman_inet_input_drop", "k8s-like"]
)
def test_the_text_says_what_the_json_of_the_same_rules_says(name: str) -> None:
    # In JSON nft leaves out what iptables' own extensions say, which it does print as text.
    files = [CAPTURES / f"{name}.json", *sorted(CAPTURES.glob(f"{name}.iptables*"))]
    twin = offline.ruleset((str(file), file.read_bytes()) for file in files[:2])
    text = (CAPTURES / f"{name}.nft").read_text()
    assert answers(read(text)) == answers(twin)
    assert answers(twin)[0]


def test_variables_and_includes_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "ports.nft").write_text("define web = { 80, 443 }\n")
    found = read(
        f'#!/usr/sbin/nft -f\n\nflush ruleset\ninclude "{tmp_path}/*.nft"\n'
        "table inet filter {\n chain input {\n  type filter hook input priority 0; policy drop;\n"
        "  tcp dport $web accept\n }\n}\n"
    )
    twin = read(
        "table inet filter { chain input { type filter hook input priority filter; policy drop; "
        "tcp dport { 80, 443 } accept; }; }"
    )
    assert found == twin
    (table,) = found.tables
    assert [chain.base.policy for chain in table.chains if chain.base] == [Kind.DROP]


def test_interfaces_that_rules_name_are_there_when_they_are_loaded() -> None:
    text = 'table inet f { chain i { type filter hook input priority 0; iif "eth7" accept; }; }'
    assert read(text, "eth7", "lo", "-x", "a/b") == read(text.replace("iif ", "iifname "))
    with pytest.raises(UsageError, match=r"^rules:1: .*exist.*--interfaces"):
        read(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("table inet f {\n chain i {\n  tcp dprt 22 accept\n }\n}\n", r"^rules:3: nft does not"),
        ("table inet f { chain i { jump nowhere; }; }", r"^rules:1: nft does not take it: "),
        ('include "/nonexistent"\ntable inet f { }\n', r"^rules(:1)?: nft does not take it: "),
        ("add rule inet nothing here accept\n", r"^rules:1: nft does not take it: "),
        ((CAPTURES / "ufw.nft").read_text(), r"^rules:150: .*iptables-save prints"),
    ],
)
def test_what_nft_does_not_take_is_one_line(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as error:
        read(text)
    assert "\n" not in str(error.value)


def test_an_include_shows_nothing_of_a_file_that_is_none(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2 is the word\n")
    with pytest.raises(UsageError, match=r"secret:1: nft does not take it: ") as error:
        read(f'include "{secret}"\n')
    assert "hunter2" not in str(error.value)


def test_an_include_that_never_ends_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nft_text, "SECONDS", 0.5)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="longer than"):
        read(f'include "{pipe}"\n')


def test_many_rules_take_root(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = "\n".join(f"ip saddr 10.0.0.{number % 256} accept" for number in range(5_000))
    text = f"table ip f {{\n chain c {{\n{rules}\n }}\n}}\n"
    (table,) = read(text).tables
    assert [len(chain.rules) for chain in table.chains] == [5_000]
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="without root"):
        read(text)


def test_the_rules_of_this_machine_are_not_touched() -> None:
    before = tools.output(["nft", "-s", "list", "ruleset"], seconds=10)
    read("flush ruleset\ntable inet portward-test { }\n")
    assert tools.output(["nft", "-s", "list", "ruleset"], seconds=10) == before


@pytest.mark.parametrize("path", ["/nowhere", "/usr/bin"])
def test_without_nft_it_is_said_what_to_give(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(tools, "PATH", path)
    with pytest.raises(UsageError, match=r"only nft reads: no .*\(give what .nft -j list ruleset"):
        read("table inet f { }\n")
