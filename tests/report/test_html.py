import itertools
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

import build
from portward.report import Look, html
from report import sample


class Page(HTMLParser):
    """The tags of a page in order, each with its attributes; fails where tags do not match."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


PAGES = {
    "status": html.status(sample.case(), Look()),
    "audit": html.audit(sample.audit(), Look()),
    "quiet": html.audit(sample.quiet_audit(), Look()),
    "blind": html.audit(sample.blind_audit(), Look()),
    "empty": html.status(sample.empty_case(), Look()),
}


@pytest.mark.parametrize("name", ["status", "audit"])
def test_golden(golden: Callable[[str, str], None], name: str) -> None:
    golden(f"{name}.html", PAGES[name])


@pytest.mark.parametrize("name", PAGES)
def test_it_stands_alone(name: str) -> None:
    page = Page(PAGES[name])
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "form", "a"}
    assert not any({"src", "href", "style"} & set(attributes) for _, attributes in page.tags)
    assert not re.search(r"url\(|@import|https?:", PAGES[name])


@pytest.mark.parametrize("name", PAGES)
def test_it_can_be_read_by_those_who_do_not_see_it(name: str) -> None:
    page = Page(PAGES[name])
    assert page.all("html") == [{"lang": "en"}]
    for landmark in ("main", "footer", "h1", "title"):
        assert len(page.all(landmark)) == 1
    ids = [str(attributes["id"]) for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    labels = [attributes["aria-labelledby"] for attributes in page.all("section")]
    assert labels
    assert set(labels) <= set(ids)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    if page.all("table"):
        assert page.all("caption")
        assert {attributes.get("scope") for attributes in page.all("th")} == {"col", "row"}


def test_names_from_outside_stay_text() -> None:
    evil = '"><script>alert(1)</script>\x1b[2J</title>\u202e{{ 7*7 }}'
    case = build.case(
        build.exposure(build.listener(unit=evil, package=evil, exe="/bin/" + evil, container=evil)),
        machine=build.machine(hostname=evil, os_name=evil),
    )
    finding = replace(
        sample.findings()[0], title=evil, why=evil, check=evil, listener=case.exposures[0].listener
    )
    audit = replace(sample.quiet_audit(), case=case, findings=(finding,))
    text = html.audit(audit, Look())
    page = Page(text)
    assert not page.all("script")
    assert len(page.all("title")) == 1
    assert "49" not in page.words
    assert "<script>alert(1)</script>\\x1b[2J" in page.words
    assert all(line.isprintable() for line in text.splitlines())


def test_a_clean_bill_and_an_unknown_one() -> None:
    assert "Nothing to close." in Page(PAGES["quiet"]).words
    blind = Page(PAGES["blind"]).words
    assert "Could not judge" in blind
    assert "Nothing to close" not in blind
    assert "No port is open" in Page(PAGES["empty"]).words


def test_all_of_a_finding_is_on_the_page() -> None:
    words = Page(PAGES["audit"]).words
    for finding in sample.findings():
        assert finding.title in words
        assert finding.id in words
    for finding in sample.findings()[:4]:
        assert finding.why in words
        assert finding.remedy.summary in words
        assert all(command in words for command in finding.remedy.commands)
    assert "until the VPN is ready" in words
    assert "the ruleset could not be read" in words


PAIRS = [
    ("--ink", "--ground"),
    ("--soft", "--ground"),
    ("--soft", "--card"),
    ("--ground", "--bad"),
    *((f"--{name}", f"--{name}-ground") for name in ("bad", "warn", "good", "odd", "low")),
    *(("--ink", f"--{name}-ground") for name in ("bad", "warn", "good", "odd", "low")),
]


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
@pytest.mark.parametrize("pair", PAIRS)
def test_every_text_stands_out_from_its_ground(theme: int, pair: tuple[str, str]) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 at least."""
    themes = re.findall(r":root \{(.*?)\}", PAGES["audit"], re.DOTALL)
    assert len(themes) == 3
    colours = dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]+);", themes[theme]))
    bright, dark = sorted((luminance(colours[name]) for name in pair), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[index : index + 2], 16) / 255 for index in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
