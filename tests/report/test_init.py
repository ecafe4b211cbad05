from pathlib import Path

import pytest

from portward import report
from portward.model.case import Case
from portward.model.errors import UsageError
from portward.model.explanation import Explanation
from portward.model.finding import Audit
from portward.report import Look
from report import sample


def test_each_document_has_its_formats() -> None:
    assert report.formats("status") == ["html", "json", "plain", "prometheus", "terminal"]
    assert report.formats("audit") == [
        "html",
        "json",
        "junit",
        "plain",
        "prometheus",
        "sarif",
        "terminal",
    ]
    assert report.formats("explain") == ["json", "plain", "terminal"]


def test_every_format_writes_every_document_it_offers() -> None:
    documents: dict[str, list[Case | Audit | Explanation]] = {
        "status": [sample.case(), sample.quiet_case(), sample.blind_case(), sample.empty_case()],
        "audit": [sample.audit(), sample.quiet_audit(), sample.blind_audit()],
        "explain": [sample.explanation()],
    }
    for kind, values in documents.items():
        for name in report.formats(kind):
            for value in values:
                for look in (Look(), Look(width=40, colour=True, unicode=True)):
                    assert report.render(name, value, look).endswith("\n")


@pytest.mark.parametrize("name", ["yaml", "screen", "views", "", "..", "os", "sarif.x", "sarif"])
def test_an_unknown_format_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=r"choose from: html, json, plain, prometheus, terminal"):
        report.render(name, sample.quiet_case(), Look())


def test_a_new_file_is_a_new_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counting.py").write_text(
        "def status(case, look):\n    return f'{len(case.exposures)} of {look.width}'\n"
    )
    monkeypatch.setattr(report, "__path__", [*report.__path__, str(tmp_path)])
    assert "counting" in report.formats("status")
    assert "counting" not in report.formats("audit")
    assert report.render("counting", sample.quiet_case(), Look(width=7)) == "1 of 7"
