"""TOML read strictly: each mistake with its line and key."""

import tomllib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from portward.knowledge.strict import Document, spell
from portward.model.errors import KnowledgeError, PortwardError

TEXT = """\
# a comment with [brackets] and "quotes"
title = "one"

list = [
    "a",  # [not a table]
    "b",
]
inline = { x = 1, y.z = [2, { w = 3 }] }
dotted.key = 1
text = '''
[fake]
fake = 1
'''

[table]
key = 1
[table.inner]
key = 2

[[many]]
key = 3
[[many]]
[many.sub]
key = 4
[[many.deep]]
key = 5
[[many.deep]]
key = 6
["odd name"."x.y"]
"quoted key" = 7
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("list",), 4),
        (("list", 1), 4),
        (("inline", "y", "z", 1, "w"), 8),
        (("dotted", "key"), 9),
        (("text",), 10),
        (("table",), 15),
        (("table", "key"), 16),
        (("table", "inner", "key"), 18),
        (("many",), 20),
        (("many", 0, "key"), 21),
        (("many", 1), 22),
        (("many", 1, "sub", "key"), 24),
        (("many", 1, "deep", 0, "key"), 26),
        (("many", 1, "deep", 1, "key"), 28),
        (("odd name", "x.y", "quoted key"), 30),
        (("table", "absent"), 15),
        (("absent",), 1),
    ],
)
def test_line_of_every_key(path: tuple[str | int, ...], line: int) -> None:
    assert Document(TEXT, "x.toml", KnowledgeError).line(path) == line


def test_a_long_list_is_not_read_anew_for_each_of_its_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "list = [\n" + '  "10.0.0.0/8",\n' * 1_000 + "]\n" + "[[many]]\nkey = 1\n" * 100
    document = Document(text, "x.toml", KnowledgeError)
    read: list[int] = []
    loads = tomllib.loads

    def counted(text: str) -> object:
        read.append(text.count("\n"))
        return loads(text)

    monkeypatch.setattr("tomllib.loads", counted)
    assert [document.line(("many", index)) for index in range(100)] == [
        1_003 + 2 * index for index in range(100)
    ]
    assert sum(read) < 5 * text.count("\n")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a = ", "x:1"),
        ("a = 1\nb = [1,", "x:2"),
        ("a = 1\na = 2", "x:2"),
        ("a = 1\n\nb = " + "[" * 5000, "x:3"),
        ("a = 1\nb = 2\nc = " + "9" * 5000 + "\nd = 1", "x:3"),
    ],
)
def test_what_is_no_toml_has_a_line(text: str, where: str) -> None:
    with pytest.raises(KnowledgeError) as caught:
        Document(text, "x", KnowledgeError)
    assert caught.value.where == where


class Thing(Struct, forbid_unknown_fields=True):
    name: str
    day: date | None = None
    words: list[str] = []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('nam = "x"', 'x:1: nam: unknown key (did you mean "name"?)'),
        ("day = 2026-01-01", 'x:1: the key "name" is missing'),
        ("name = 1", "x:1: name: must be text in quotes, not a number"),
        (
            'name = "x"\nday = "2026-01-01"',
            "x:2: day: must be a date without quotes like 2026-12-31, not text in quotes",
        ),
        ('name = "x"\n[words]\na = 1', "x:2: words: must be a list, not a table (write [[words]])"),
        ('name = "x"\nwords = ["a",\n1]', "x:2: words[1]: must be text in quotes, not a number"),
    ],
)
def test_wrong_values_in_words_for_people(text: str, message: str) -> None:
    with pytest.raises(KnowledgeError) as caught:
        Document(text, "x", KnowledgeError).decode(Thing, Thing.__struct_fields__)
    assert str(caught.value) == message


KEYS = st.sampled_from(["a", "b", '"c d"', "a.b", "'e'"])
VALUES = st.sampled_from(
    ["1", '"x"', "[1, 2]", "[\n1,\n# no\n2\n]", "{ a = 1 }", "'''\n[a]\nb = 1\n'''", "1979-05-27"]
)
LINES = st.one_of(
    st.just("# note"),
    st.just(""),
    st.builds("[{}]".format, KEYS),
    st.builds("[[{}]]".format, KEYS),
    st.builds("{} = {}".format, KEYS, VALUES),
    st.text(max_size=12),
)


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [one for step, inner in items for one in [(*path, step), *_paths(inner, (*path, step))]]


@given(st.lists(LINES, max_size=12))
def test_every_path_of_every_document_has_a_line_that_names_it(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        document = Document(text, "x", KnowledgeError)
    except PortwardError:
        return
    count = text.count("\n") + 1
    for path in _paths(document.values):
        assert 1 <= document.line(path) <= count
        name = next(step for step in reversed(path) if isinstance(step, str))
        assert name in "\n".join(text.split("\n")[document.line(path) - 1 :])


def test_a_path_is_spelled_as_people_read_it() -> None:
    assert spell(("allow", 0, "from")) == "allow[0].from"
    assert spell(()) == ""


def test_the_lines_after_a_list_of_thousands_are_found_at_once() -> None:
    """Quadratic, this would take hours: it is over in a moment or the test never ends."""
    listed = "".join(f'  "10.{n >> 8}.{n & 255}.0/24",\n' for n in range(60_000))
    document = Document(f'net = [\n{listed}]\nlast = "a, b," # c,\nmore = 1\n', "x", KnowledgeError)
    assert document.line(("net",)) == 1
    assert document.line(("last",)) == 60_003
    assert document.line(("more",)) == 60_004
