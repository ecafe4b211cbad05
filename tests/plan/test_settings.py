from build import case, machine, sysctl
from portward.model.plan import SetSysctl, WriteFile
from portward.plan.settings import FILE, read, settings, written

COOKIES, ROUTE = "net.ipv4.tcp_syncookies", "net.ipv4.conf.eth0.accept_source_route"


def test_what_is_wrong_is_set_now_and_for_every_boot() -> None:
    (change,) = settings(case(sysctls=(sysctl(COOKIES, "0"),))).changes
    assert change.steps[1:] == (SetSysctl(key=COOKIES, value="1"),)
    file = change.steps[0]
    assert isinstance(file, WriteFile)
    assert file.path == FILE
    assert read(file.text or "") == {COOKIES: "1"}


def test_what_only_a_boot_would_set_back_is_written_and_not_set_again() -> None:
    (change,) = settings(case(sysctls=(sysctl(COOKIES, "1", "0", "/etc/sysctl.conf:3"),))).changes
    assert [type(step) for step in change.steps] == [WriteFile]


def test_a_file_of_an_earlier_plan_keeps_what_it_has() -> None:
    earlier = written({"net.ipv4.conf.all.rp_filter": "1"})
    (change,) = settings(case(sysctls=(sysctl(COOKIES, "0"),), files={FILE: earlier})).changes
    file = change.steps[0]
    assert isinstance(file, WriteFile)
    assert read(file.text or "") == {"net.ipv4.conf.all.rp_filter": "1", COOKIES: "1"}


def test_what_is_right_needs_no_change() -> None:
    assert settings(case(sysctls=(sysctl(COOKIES, "1", "1"),))) == ((), ())


def test_a_container_does_not_own_them() -> None:
    inside = machine(inside="container")
    part = settings(case(sysctls=(sysctl(COOKIES, "0"),), machine=inside))
    assert not part.changes
    assert part.notes
