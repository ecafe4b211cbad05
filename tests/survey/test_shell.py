from hypothesis import given
from hypothesis import strategies as st

from portward.survey.shell import assignments


def test_quotes_comments_and_lines_that_are_none() -> None:
    text = r"""
# comment
ID=debian
NAME="Debian \"GNU\" \$5"
PRETTY='it is \x'
export ENABLED=yes # on
not a line
2=x
OPEN="never closed
EMPTY=
ID=later
"""
    assert assignments(text) == {
        "ID": "later",
        "NAME": 'Debian "GNU" $5',
        "PRETTY": "it is \\x",
        "ENABLED": "yes",
        "OPEN": '"never closed',
        "EMPTY": "",
    }


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert all(name.isidentifier() for name in assignments(text))
