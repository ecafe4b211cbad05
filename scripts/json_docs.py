"""Write docs/json.md and docs/schema/ from the types of the JSON documents.

Run it after a change of them: python scripts/json_docs.py [DIRECTORY, docs by default]
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from portward.report.json import command, documents, schema

INTRODUCTION = """\
# The JSON of portward

`portward status`, `audit`, `explain` and `reach` with `--format json` write one document each; a
batch of packets (`reach --packets`) has one on each line. `schema` names its version: a new field
may appear at any time, so ignore what you do not know; a field that is removed, renamed or means
something else gets a new number.

- A fact that could not be learned is an object: `{"unknown": "needs root"}`. It is never `null`,
  which means that portward looked and there is none.
- Times are in RFC 3339. Text is UTF-8; control and direction characters are written as `\\u001b`,
  so a document is safe to show in a terminal.
- JSON Schemas: [status](schema/status.json), [audit](schema/audit.json),
  [explain](schema/explanation.json), and of reach [a port](schema/reach.json),
  [a packet](schema/reach-packet.json), [the matrix](schema/reach-matrix.json),
  [the difference](schema/reach-difference.json).
"""


def page() -> str:
    """Describe every field of every document, each type once."""
    parts = [INTRODUCTION]
    seen: set[str] = set()
    for document, root in documents().items():
        types = schema(document)["$defs"]
        parts.append(f"\n## {command(document)}\n")
        for name in _reached(types, root.__name__):
            if name not in seen and types[name].get("type") == "object":
                seen.add(name)
                parts.append(_table(name, types[name], types))
    return "\n".join(parts)


def _reached(types: dict[str, Any], root: str) -> list[str]:
    """List the types a document is made of, in the order a reader meets them."""
    found = [root]
    for name in found:
        names = re.findall(r'"#/\$defs/(\w+)"', json.dumps(types[name]))
        found += [one for one in dict.fromkeys(names) if one not in found]
    return found


def _table(name: str, kind: dict[str, Any], types: dict[str, Any]) -> str:
    rows = [
        f"| `{field}` | {_type(facts, types)} | {facts.get('description', '')} |"
        for field, facts in kind["properties"].items()
    ]
    head = [f"### {_title(name)}", "", kind["description"], "", "| Field | Type | Meaning |"]
    return "\n".join([*head, "| --- | --- | --- |", *rows, ""])


def _title(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("View")).capitalize()


def _type(facts: dict[str, Any], types: dict[str, Any]) -> str:
    """Write a type in a word or two."""
    if "anyOf" in facts:
        return " or ".join(_type(one, types) for one in facts["anyOf"])
    if "$ref" in facts:
        name = facts["$ref"].rpartition("/")[2]
        if types[name].get("type") == "object":
            title = _title(name)
            return f"[{title}](#{title.lower().replace(' ', '-')})"
        return _type(types[name], types)
    if facts.get("type") == "array":
        return f"array of {_type(facts['items'], types)}"
    if "enum" in facts:
        return " or ".join("null" if one is None else f"`{one}`" for one in facts["enum"])
    return str(facts["type"])


def main(arguments: list[str]) -> None:
    """Write all files into the directory given."""
    place = Path(arguments[0] if arguments else "docs")
    (place / "schema").mkdir(parents=True, exist_ok=True)
    for document in documents():
        text = json.dumps(schema(document), indent=2) + "\n"
        (place / "schema" / f"{document}.json").write_text(text, "utf-8")
    (place / "json.md").write_text(page(), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
