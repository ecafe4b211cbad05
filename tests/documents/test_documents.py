"""The documents agree with the tree: links, pages of commands, examples, the version."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from portward import __version__
from portward.faces.cli import COMMANDS
from portward.knowledge import catalogue
from portward.knowledge.files import read
from portward.model.service import Catalogue

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    titles = HEADING.findall(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def dead_links(document: Path) -> list[str]:
    dead = []
    for link in LINK.findall(CODE.sub("", document.read_text("utf-8"))):
        if "://" in link:
            continue
        place, _, anchor = link.partition("#")
        target = document.parent / place if place else document
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            dead.append(link)
    return dead


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    assert dead_links(document) == []


def test_a_dead_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A b\n[x](#a-b) [y](#nothing) [z](none.md) `[c](code.md)` [w](https://e.org)\n"
    )
    assert dead_links(page) == ["#nothing", "none.md"]


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)", (ROOT / "docs/changelog.md").read_text(), re.MULTILINE)
    assert versions[0] == __version__


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_a_command_names_exactly_its_options(command: str) -> None:
    usage = subprocess.run(
        [sys.executable, "-c", "from portward.faces.cli import main; main()", command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    listed = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", usage, re.MULTILINE)) - {"--help"}
    page = (ROOT / f"docs/{command}.md").read_text("utf-8")
    options = page.partition("## Options")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(--[\w-]+)", options)) == listed


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_dev_command_exists(document: Path) -> None:
    known = set(re.findall(r"^(\w+)\)$", (ROOT / "dev").read_text(), re.MULTILINE))
    assert (
        set(re.findall(r"(?:`|^    )\./dev (\w+)", document.read_text("utf-8"), re.MULTILINE))
        <= known
    )


def test_decisions_are_numbered_once() -> None:
    numbers = [file.name[:4] for file in (ROOT / "docs/decisions").glob("*.md")]
    assert len(numbers) == len(set(numbers))


def contributed() -> Catalogue:
    """Return the catalogue with the examples of CONTRIBUTING.md added."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    service, role = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    folder = Path(catalogue.__file__).parent
    files = [(str(path), path.read_text("utf-8")) for path in folder.glob("services/*.toml")]
    return read([*files, ("services/gopher-example.toml", service), ("roles/example.toml", role)])


def test_the_examples_of_a_service_and_a_role_are_such() -> None:
    known = contributed()
    assert known.services["gopher-example"].replacement == "https"
    assert [need.service for need in known.roles["example"].needs] == ["https"]
