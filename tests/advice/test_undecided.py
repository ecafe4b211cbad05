"""What a check says that could not tell."""

import build
from portward.advice.undecided import unless_known
from portward.model.host import Sight
from portward.model.unknown import NOT_RUNNING, Unknown

IMAGE = build.snapshot(sight=Sight(root="/srv/image", euid=0, owners_by="none", gaps=()))


def test_nobody_misses_what_only_a_running_machine_has() -> None:
    assert list(unless_known("a-check", "live values", NOT_RUNNING, IMAGE)) == []


def test_an_image_whose_packages_cannot_be_read_is_not_clean() -> None:
    (found,) = unless_known("a-check", "packages", Unknown("the database is damaged"), IMAGE)
    assert (found.subject, found.reason) == ("packages", "the database is damaged")
