from pathlib import Path

from portward.model.unknown import Unknown
from portward.survey.firewall import firewall, saved_chains
from portward.survey.nf_tables import Chain, Table


def test_the_rules_of_an_image_are_not_known(tmp_path: Path) -> None:
    found = firewall(tmp_path)
    assert not isinstance(found, Unknown)
    rulesets = {found.nft, found.iptables, found.ip6tables}
    rulesets |= {found.iptables_legacy, found.ip6tables_legacy}
    assert rulesets == {Unknown("the image is not running")}
    assert found.managers == ()
    assert found.files == ()


def test_chains_that_iptables_save_names() -> None:
    text = (
        "# by iptables-save\n*nat\n:INPUT ACCEPT [0:0]\nCOMMIT\n*filter\n:f2b-sshd - [0:0]\n-A x\n"
    )
    assert saved_chains(text, "ip") == [
        Chain(Table("ip", "nat"), "INPUT"),
        Chain(Table("ip", "filter"), "f2b-sshd"),
    ]
    assert saved_chains("", "ip") == []
