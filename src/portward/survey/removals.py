"""What would go along if a package were removed, as the package manager itself says."""

import re

from portward.model.unknown import Maybe, Unknown
from portward.survey.tools import ToolError, output

_SECONDS = 60
_REMOVED = re.compile(r"^(?:Purg|Remv) (\S+)", re.MULTILINE)


def along(package: str) -> Maybe[tuple[str, ...]]:
    """Name everything that goes when a package is removed, itself among it; changes nothing."""
    command = ["apt-get", "--simulate", "--assume-yes", "remove", "--", package]
    try:
        said = output(command, seconds=_SECONDS)
    except ToolError as error:
        return Unknown(f"what would go with it is not known: {error}")
    return parse(said.decode(errors="replace"))


def parse(text: str) -> Maybe[tuple[str, ...]]:
    """Read what apt-get --simulate prints (pure)."""
    names = tuple(dict.fromkeys(name.partition(":")[0] for name in _REMOVED.findall(text)))
    return names or Unknown("the package manager would remove nothing")
