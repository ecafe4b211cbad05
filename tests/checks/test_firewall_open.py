import pytest

import build
from portward.checks.firewall_open import check
from portward.model.finding import Finding, Severity, Undecided
from portward.model.host import Facing, Sight
from portward.model.unknown import Unknown

FAKE_DENY = build.INPUT_DROP.replace(
    "]}",
    ', {"rule": {"family": "inet", "table": "filter", "chain": "input",'
    ' "expr": [{"accept": null}]}}]}',
)
FAIL2BAN = """{"nftables": [
 {"chain": {"family": "inet", "table": "f", "name": "c", "hook": "input", "policy": "accept"}},
 {"rule": {"family": "inet", "table": "f", "chain": "c", "expr": [{"match": {}}, {"drop": null}]}}
]}"""


@pytest.mark.parametrize(
    ("ruleset", "title"),
    [
        (None, "There is no firewall"),
        ('{"nftables": []}', "The firewall accepts everything"),
        (FAKE_DENY, "The firewall accepts everything"),
        (build.INPUT_DROP, None),
    ],
)
def test_certain(ruleset: str | None, title: str | None) -> None:
    results = list(check(build.case(firewall=build.firewall(nft=ruleset))))
    assert len(results) == (title is not None)
    for result in results:
        assert isinstance(result, Finding)
        assert title
        assert result.title.startswith(title)


@pytest.mark.parametrize("ruleset", [FAIL2BAN, Unknown("needs root")])
def test_not_certain_is_said(ruleset: str | Unknown) -> None:
    (result,) = check(build.case(firewall=build.firewall(nft=ruleset)))
    assert isinstance(result, Undecided)


def test_less_grave_where_nothing_faces_the_internet() -> None:
    inner = build.interface(facing=Facing.PRIVATE)
    (finding,) = check(build.case(firewall=build.firewall(nft=None), interfaces=(inner,)))
    assert isinstance(finding, Finding)
    assert finding.severity == Severity.LOW


def test_an_image_has_no_ruleset_to_judge() -> None:
    sight = Sight(root="/srv/image", euid=0, owners_by="none", gaps=())
    assert list(check(build.case(sight=sight, firewall=Unknown("not running")))) == []
