"""Loading portward's own table, without a kernel."""

import pytest

from portward.apply.steps import table
from portward.model.plan import LoadTable

RULES = "table inet portward { }\n"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what nft is given, in order, and "wait" for every wait."""
    seen: list[str] = []
    monkeypatch.setattr(table, "run", lambda *_, stdin: seen.append(stdin))
    monkeypatch.setattr("time.sleep", lambda _: seen.append("wait"))
    return seen


def test_before_a_new_table_the_kernel_sees_the_traffic_go_by(loads: list[str]) -> None:
    table.do(LoadTable(rules=RULES), table.Saved(text=""))
    watching, wait, loaded = loads
    assert "policy accept" in watching
    assert "ct state established" in watching
    assert (wait, loaded) == ("wait", RULES)


def test_a_table_that_takes_the_place_of_one_is_loaded_at_once(loads: list[str]) -> None:
    table.do(LoadTable(rules=RULES), table.Saved(text=RULES))
    assert loads == [RULES]


def test_a_table_is_taken_away_at_once(loads: list[str]) -> None:
    table.do(LoadTable(rules=""), table.Saved(text=RULES))
    assert loads == ["table inet portward { }\ndelete table inet portward\n"]
