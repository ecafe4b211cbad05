import pytest

import build
from portward.checks.idle_rule import check
from portward.model.case import Case
from portward.model.finding import Severity


def case(*rules: str, chains: str = "") -> Case:
    """A machine with these rules of the old iptables."""
    head = f"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{chains}"
    text = head + "".join(f"-A {rule}\n" for rule in rules) + "COMMIT\n"
    return build.case(firewall=build.firewall(nft=None, iptables_legacy=text))


OPEN, SHUT = "INPUT -p tcp -j ACCEPT", "INPUT -p tcp -m tcp --dport 23 -j DROP"


def test_the_rule_and_the_one_before_it_are_named() -> None:
    (finding,) = check(case(OPEN, SHUT))
    assert finding.subject == "ip filter INPUT"
    assert finding.title == "1 rule of ip filter INPUT never decides anything"
    assert finding.severity == Severity.LOW
    (fact,) = finding.evidence
    assert fact.text == f"-A {SHUT} comes after -A {OPEN}, which takes all its packets"


def test_one_that_says_the_same_only_informs() -> None:
    (finding,) = check(case(OPEN, OPEN.replace("-p tcp", "-p tcp -m tcp --dport 22")))
    assert finding.severity == Severity.INFO


@pytest.mark.parametrize(
    ("rules", "chains", "found"),
    [
        ((OPEN, "INPUT -p tcp -j f2b-sshd"), ":f2b-sshd - [0:0]\n", 0),
        (("INPUT -j ufw-user-input", "ufw-user-input -j ACCEPT", "ufw-user-input -j ACCEPT"),
         ":ufw-user-input - [0:0]\n", 1),
        (("INPUT -j ufw-before-input", *["ufw-before-input -j ACCEPT"] * 2),
         ":ufw-before-input - [0:0]\n", 0),
        ((OPEN, "INPUT -p tcp -j LOG"), "", 0),
    ],
    ids=["of a tool", "a person's place in it", "a tool's own", "only logs"],
)  # fmt: skip
def test_what_tools_write_for_themselves_is_left_out(
    rules: tuple[str, ...], chains: str, found: int
) -> None:
    assert len(list(check(case(*rules, chains=chains)))) == found
