"""What a command does not use it does not import: start-up is most of its time."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/example/web1.json"
REPORT = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from portward.faces.cli import main
try:
    main()
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""


def imported(*words: str) -> set[str]:
    command = [sys.executable, "-I", "-c", REPORT, str(ROOT / "src"), *words]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(result.stderr.split())


def test_version_loads_the_command_line_and_nothing_else() -> None:
    modules = imported("--version")
    assert {name for name in modules if name.startswith("portward")} == {
        "portward",
        "portward.faces",
        "portward.faces.cli",
        "portward.faces.exit_status",
    }
    assert not modules & {"msgspec", "rich", "jinja2", "subprocess", "asyncio", "json", "tomllib"}


def test_status_into_a_pipe_loads_no_terminal_and_no_other_format() -> None:
    modules = imported("status", "--snapshot", str(EXAMPLE), "--role", "web-server")
    assert "portward.report.plain" in modules
    assert not modules & {
        "rich",
        "jinja2",
        "asyncio",
        "portward.report.terminal",
        "portward.checks",
    }
