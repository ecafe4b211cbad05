"""docs/policy.md and docs/roles.md say what is true."""

import re
import runpy
from pathlib import Path

import pytest

from portward.knowledge import catalogue
from portward.knowledge.files import read
from portward.model.errors import PolicyError
from portward.policy.file import parse
from portward.policy.resolve import MEANING

ROOT = Path(__file__).parents[2]
KNOWN = catalogue.load(Path("/nonexistent"))
TEXT = (ROOT / "docs/policy.md").read_text()
POLICY, OUTGOING, ROLE = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def test_the_example_is_a_policy() -> None:
    policy = parse(POLICY, "policy.toml", KNOWN)
    assert len([one for one in policy.allowances if one.origin.startswith("policy")]) == 3
    assert len(policy.suppressions) == 1


def test_the_example_of_what_may_be_sent_is_a_policy() -> None:
    assert len(parse(OUTGOING, "policy.toml", KNOWN).outgoing) == 3


def test_the_example_of_a_role_is_one() -> None:
    services = Path(catalogue.__file__).parent / "services"
    files = [(str(path), path.read_text()) for path in services.glob("*.toml")]
    known = read([*files, ("roles/build-server.toml", ROLE)])
    assert [need.optional for need in known.roles["build-server"].needs] == [False, True]


def test_every_profile_is_described() -> None:
    table = TEXT.partition("## Profiles")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(MEANING)


@pytest.mark.parametrize(
    ("change", "number"),
    [
        (("web-server", "web-sever"), 0),
        (('"203.0.113.0/24"', '"203.0.113.7/24"'), 1),
        (('from = "admin"\n', ""), 2),
    ],
)
def test_the_mistakes_read_as_shown(change: tuple[str, str], number: int) -> None:
    shown = re.findall(r"^/etc/portward/policy.toml:\d+: (.*)$", TEXT, re.MULTILINE)[number]
    with pytest.raises(PolicyError) as caught:
        parse(POLICY.replace(*change), "policy.toml", KNOWN)
    said = re.sub(r"^policy.toml:\d+: ", "", str(caught.value))
    assert said.replace("admin[0]", "admin") == shown


def test_the_page_of_roles_is_current() -> None:
    page = runpy.run_path(str(ROOT / "scripts/roles.py"))["page"]
    assert (ROOT / "docs/roles.md").read_text() == page(KNOWN), "run python -m scripts.roles"
