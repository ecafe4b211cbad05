from pathlib import Path

import pytest

from portward.model.host import FirewallManager
from portward.model.unknown import Maybe, Unknown
from portward.survey.firewall_managers import TOOLS, boot_files, managers
from portward.survey.nf_tables import Chain, Table

NOTHING: frozenset[Chain] = frozenset()


def write(root: Path, path: str, text: str = "") -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def service(root: Path, name: str, *, enabled: bool) -> None:
    write(root, f"usr/lib/systemd/system/{name}", "[Service]\n")
    if enabled:
        wants = root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / name).symlink_to(f"/usr/lib/systemd/system/{name}")


def chain(name: str, table: str = "filter", family: str = "ip") -> Chain:
    return Chain(Table(family, table), name)


def survey(root: Path, *chains: Chain) -> dict[str, FirewallManager]:
    return {manager.name: manager for manager in managers(root, frozenset(chains))}


def test_a_machine_without_any(tmp_path: Path) -> None:
    assert survey(tmp_path, chain("INPUT"), chain("input", "filter", "inet")) == {}


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        (chain("ufw-user-input"), "ufw"),
        (chain("ufw6-user-input", family="ip6"), "ufw"),
        (chain("filter_INPUT", "firewalld", "inet"), "firewalld"),
        (chain("input", "foomuuri", "inet"), "foomuuri"),
        (chain("DOCKER-USER"), "docker"),
        (chain("filter-FORWARD", "docker-bridges"), "docker"),
        (chain("NETAVARK_FORWARD"), "podman"),
        (chain("LIBVIRT_INP"), "libvirt"),
        (chain("f2b-sshd"), "fail2ban"),
        (chain("f2b-chain", "f2b-table", "inet"), "fail2ban"),
        (chain("crowdsec-chain", "crowdsec"), "crowdsec"),
        (chain("KUBE-SERVICES", "nat"), "kube-proxy"),
        (chain("ts-input"), "tailscale"),
        (chain("input", "portward", "inet"), "portward"),
    ],
)
def test_marks_in_the_kernel(tmp_path: Path, mark: Chain, name: str) -> None:
    ((found, manager),) = survey(tmp_path, mark, chain("INPUT")).items()
    assert found == name
    assert manager.active is True
    assert mark.name in manager.evidence or mark.table.name in manager.evidence


@pytest.mark.parametrize(
    ("setting", "unit", "enabled"),
    [("yes", True, True), ("no", True, False), ("yes", False, False)],
)
def test_ufw_needs_its_switch_and_its_unit(
    tmp_path: Path,
    setting: str,
    unit: bool,  # noqa: FBT001 - a row of the table
    enabled: bool,  # noqa: FBT001 - the same
) -> None:
    write(tmp_path, "etc/ufw/ufw.conf", f"ENABLED={setting}\n")
    write(tmp_path, "etc/ufw/user.rules")
    service(tmp_path, "ufw.service", enabled=unit)
    ufw = survey(tmp_path)["ufw"]
    assert (ufw.enabled, ufw.active, ufw.exclusive) == (enabled, False, True)
    assert boot_files(tmp_path, [ufw]) == (
        ("/etc/ufw/ufw.conf", "/etc/ufw/user.rules") if enabled else ()
    )


def test_a_masked_unit_never_starts(tmp_path: Path) -> None:
    service(tmp_path, "firewalld.service", enabled=True)
    assert survey(tmp_path)["firewalld"].enabled is True
    (tmp_path / "etc/systemd/system/firewalld.service").symlink_to("/dev/null")
    assert survey(tmp_path)["firewalld"].enabled is False


def test_nftables_is_active_when_a_table_of_its_file_is_loaded(tmp_path: Path) -> None:
    service(tmp_path, "nftables.service", enabled=True)
    write(tmp_path, "etc/nftables.conf", "#!/usr/sbin/nft -f\ntable inet mine {\n}\n")
    other, mine = chain("input", "other", "inet"), chain("input", "mine", "inet")
    assert survey(tmp_path, other)["nftables"].active is False
    manager = survey(tmp_path, other, mine)["nftables"]
    assert (manager.enabled, manager.active, manager.exclusive) == (True, True, False)
    assert "table inet mine" in manager.evidence
    assert boot_files(tmp_path, [manager]) == ("/etc/nftables.conf",)


@pytest.mark.parametrize(
    ("text", "exclusive"),
    [("flush ruleset\n", True), ("flush ruleset; # all\n", True), ("# flush ruleset\n", False)],
)
def test_nftables_wipes_others_where_its_file_says_so(
    tmp_path: Path,
    text: str,
    exclusive: bool,  # noqa: FBT001 - a row of the table
) -> None:
    write(tmp_path, "etc/nftables.conf", text)
    assert survey(tmp_path)["nftables"].exclusive is exclusive


@pytest.mark.parametrize(
    ("chains", "active"),
    [
        (NOTHING, False),
        (frozenset({chain("INPUT")}), Unknown("its rules carry no mark")),
        (Unknown("needs root"), Unknown("needs root")),
    ],
)
def test_rules_without_a_mark(
    tmp_path: Path, chains: Maybe[frozenset[Chain]], active: Maybe[bool]
) -> None:
    service(tmp_path, "netfilter-persistent.service", enabled=True)
    (manager,) = managers(tmp_path, chains)
    assert (manager.name, manager.enabled, manager.active) == (
        "netfilter-persistent",
        True,
        active,
    )


def test_without_the_ruleset_nobody_is_called_inactive(tmp_path: Path) -> None:
    service(tmp_path, "fail2ban.service", enabled=True)
    (manager,) = managers(tmp_path, Unknown("needs root"))
    assert manager.active == Unknown("needs root")


def test_the_table_is_in_order() -> None:
    assert len({tool.name for tool in TOOLS}) == len(TOOLS)
    assert all(tool.chains or tool.tables or tool.units for tool in TOOLS)
