import os
import pwd
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from portward.survey.users import Users, parse

ACCOUNTS = """\
root:x:0:0:root:/root:/bin/bash
www-data:x:33:33::/var/www:/usr/sbin/nologin
broken line
toor:x:0:0::/root:/bin/sh
+nis::::::
name:x:not-a-number:0::/:/bin/sh
"""


def test_names_come_from_the_image_not_from_this_machine(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(ACCOUNTS)
    users = Users(tmp_path)
    assert users.name(33) == "www-data"
    assert users.name(0) == "root"  # the first line with a uid wins, as in getpwuid(3)
    assert users.name(1) is None
    assert [user.home for user in users.all] == ["/root", "/var/www", "/root"]


def test_an_image_without_users_has_only_numbers(tmp_path: Path) -> None:
    assert Users(tmp_path).name(0) is None


def test_the_running_machine_answers_as_the_c_library_does() -> None:
    users = Users()
    assert users.name(os.getuid()) == pwd.getpwuid(os.getuid()).pw_name
    assert users.name(4_000_000_001) is None


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for user in parse(text):
        assert user.name
        assert user.uid >= 0
