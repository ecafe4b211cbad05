"""The HTML report as a browser shows it: laid out, light, dark, on paper, and inert."""

import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from msgspec.structs import replace

import build
from portward.report import Look, html
from report import sample

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium here"),
]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)


def browse(tmp_path: Path, page: str, *flags: str) -> str:
    """Open a page and return what the browser prints."""
    file = tmp_path / "report.html"
    file.write_text(page, "utf-8")
    done = subprocess.run(
        ["chromium", *FLAGS, f"--user-data-dir={tmp_path}/profile", *flags, file.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=tmp_path,
    )
    return done.stdout


def corner(png: Path) -> tuple[int, int, int]:
    """Return the colour of the first pixel, which no PNG filter changes."""
    data = png.read_bytes()
    compressed = b""
    place = 8
    while place < len(data):
        length = int.from_bytes(data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            compressed += data[place + 8 : place + 8 + length]
        place += 12 + length
    first = zlib.decompress(compressed)[1:4]
    return first[0], first[1], first[2]


@pytest.mark.parametrize(
    ("theme", "ground"), [("1", (0xFF, 0xFF, 0xFF)), ("0", (0x14, 0x17, 0x1B))]
)
def test_it_follows_the_theme_of_the_reader(
    tmp_path: Path, theme: str, ground: tuple[int, int, int]
) -> None:
    picture = tmp_path / "page.png"
    browse(
        tmp_path,
        html.audit(sample.audit(), Look()),
        f"--blink-settings=preferredColorScheme={theme}",
        f"--screenshot={picture}",
    )
    assert corner(picture) == ground


@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_itself_never_scrolls_sideways(tmp_path: Path, width: int) -> None:
    # The page may run no script: to measure it, its own policy is taken out.
    page, found = re.subn(r"<meta http-equiv=.*>", "", html.audit(sample.audit(), Look()))
    assert found == 1
    measure = (
        "<script>onload = () => { document.documentElement.dataset.over ="
        " document.documentElement.scrollWidth - innerWidth }</script></body>"
    )
    measured = page.replace("</body>", measure)
    dom = browse(tmp_path, measured, f"--window-size={width},800", "--dump-dom")
    assert 'data-over="0"' in dom


def test_scripts_from_outside_do_not_run(tmp_path: Path) -> None:
    evil = (
        "</title><script>document.documentElement.id='owned'</script><img src=x onerror=alert(1)>"
    )
    case = build.case(
        build.exposure(build.listener(unit=evil, exe="/bin/" + evil)),
        machine=build.machine(hostname=evil),
    )
    finding = replace(sample.findings()[0], title=evil, why=evil)
    page = html.audit(replace(sample.quiet_audit(), case=case, findings=(finding,)), Look())
    dom = browse(tmp_path, page, "--dump-dom")
    assert "<main>" in dom
    assert 'id="owned"' not in dom
    assert "<script" not in dom
    assert "<img" not in dom


def test_the_policy_of_the_page_stops_scripts_and_requests(tmp_path: Path) -> None:
    """Even if a script slipped in, the browser would not run it."""
    page = html.audit(sample.audit(), Look()).replace(
        "</body>", "<script>document.documentElement.id='owned'</script></body>"
    )
    dom = browse(tmp_path, page, "--dump-dom")
    assert "<main>" in dom
    assert 'id="owned"' not in dom


def test_it_prints(tmp_path: Path) -> None:
    paper = tmp_path / "page.pdf"
    browse(tmp_path, html.audit(sample.audit(), Look()), f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF-")
    assert 1 <= paper.read_bytes().count(b"/Type /Page\n") <= 6
