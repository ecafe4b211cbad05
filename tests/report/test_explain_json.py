import msgspec

from portward import flow
from portward.report import Look, render


def test_an_explanation_is_sections_of_lines() -> None:
    found = msgspec.json.decode(render("json", flow.explain("telnet"), Look()))
    assert found["schema"] == "portward-explanation/1"
    assert found["topic"] == "service telnet"
    headings = [section["heading"] for section in found["sections"]]
    assert "What it is" in headings
