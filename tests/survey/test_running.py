from pathlib import Path

from portward.model.unknown import Unknown
from portward.survey.running import running


def test_services_of_systemds_links(tmp_path: Path) -> None:
    folder = tmp_path / "run/systemd/units"
    folder.mkdir(parents=True)
    for name in ("invocation:a.service", "invocation:x.mount", "log-level-max:a.service"):
        (folder / name).symlink_to("0123")
    assert running(tmp_path) == ("a.service",)


def test_without_systemd_it_is_not_known(tmp_path: Path) -> None:
    assert isinstance(running(tmp_path), Unknown)
