import pytest

import build
from portward.advice.stopping import stop_units
from portward.model.unknown import NOT_SURVEYED

QUADLET = "/etc/containers/systemd/web.container"


def test_what_would_start_it_again_goes_too() -> None:
    units = (build.unit("a.service", triggered_by=("a.socket",)), build.unit("a.socket"))
    _, commands = stop_units(("a.service",), units)
    assert commands == ("systemctl disable --now a.service a.socket",)


def test_a_unit_without_links_is_masked() -> None:
    _, commands = stop_units(("a.service",), (build.unit("a.service", state="static"),))
    assert commands == ("systemctl mask --now a.service",)


@pytest.mark.parametrize(
    "name",
    ["run-u12.service", "run-r0123456789abcdef0123456789abcdef.service", "run-p7-i8.service"],
)
def test_a_transient_unit_is_only_stopped(name: str) -> None:
    summary, commands = stop_units((name,), NOT_SURVEYED, user="eve")
    assert commands == (f"systemctl --user --machine=eve@.host stop {name}",)
    assert "gone after" in summary
    assert "keep it from starting" not in summary


def test_a_named_transient_unit_and_its_timer_are_only_stopped() -> None:
    units = (build.unit("job.service", state="transient", triggered_by=("job.timer",)),)
    assert stop_units(("job.service",), units)[1] == ("systemctl stop job.service job.timer",)


def test_a_generated_unit_goes_out_of_the_file_that_it_is_made_from() -> None:
    unit = build.unit("web.service", state="generated", source=QUADLET)
    summary, commands = stop_units(("web.service",), (unit,))
    assert QUADLET in summary
    assert commands == ("systemctl stop web.service", "systemctl daemon-reload")


def test_a_generated_unit_of_unknown_source_is_masked() -> None:
    _, commands = stop_units(("a.service",), (build.unit("a.service", state="generated"),))
    assert commands == ("systemctl mask --now a.service",)


def test_what_rc_local_starts_goes_out_of_it() -> None:
    unit = build.unit("rc-local.service", manager="rc", file="/etc/rc.local")
    summary, commands = stop_units(("rc-local.service",), (unit,))
    assert "/etc/rc.local" in summary
    assert commands[0] == "systemctl stop rc-local.service"
