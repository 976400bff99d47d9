"""The table of what was killed, and the list of what survived.

Mutants that do the same as the source, whatever runs, are named with the reason in
`equivalent.toml`. They count neither as killed nor as tried.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HEAD = (
    *("of", "mutants", "tried", "killed", "timeouts", "equivalent", "survived", "share killed"),
)
EQUIVALENT = Path(__file__).with_name("equivalent.toml")


def report(results: Path, possible: dict[str, int]) -> str:
    """Markdown of a file of results; `possible` counts the mutants of each module."""
    rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    same = equivalent_mutants()
    for row in rows:
        if row["outcome"] == "survived" and _name(row) in same:
            row["outcome"] = "equivalent"
    rooms = dict.fromkeys(module.rsplit(".", 1)[0] for module in possible)
    lines = [_line(HEAD), _line([":---", *["---:"] * (len(HEAD) - 1)])]
    for room in rooms:
        for module in (name for name in possible if name.rsplit(".", 1)[0] == room):
            chosen = [row for row in rows if row["module"] == module]
            lines.append(_count(module.rsplit(".", 1)[1], possible[module], chosen))
        members = [name for name in possible if name.rsplit(".", 1)[0] == room]
        chosen = [row for row in rows if row["module"] in members]
        total = sum(possible[name] for name in members)
        lines.append(_count(f"**{room.rsplit('.', 1)[1]}**", total, chosen))
    lines.append(_count("**all**", sum(possible.values()), rows))
    spent = sum(row["seconds"] for row in rows) / 60
    lines += ["", f"Processor time: {spent:.0f} min.", "", "## Survivors", ""]
    for row in sorted(rows, key=lambda row: (row["file"], row["line"])):
        if row["outcome"] == "survived":
            where = f"{row['file']}:{row['line']}"
            lines.append(f"- {where} {row['operator']}: `{row['before']}` -> `{row['after']}`")
    lines += ["", "## Equivalent", ""]
    for row in rows:
        if row["outcome"] == "equivalent":
            what = f"`{row['before']}` -> `{row['after']}`"
            lines.append(f"- {row['file']}:{row['line']} {what}: {same[_name(row)]}")
    return "\n".join(lines) + "\n"


def equivalent_mutants() -> dict[tuple[str, str, str], str]:
    """Reason by the file of a mutant and its line, before and after."""
    listed = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    return {_name(each): each["reason"] for each in listed}


def _name(row: Mapping[str, Any]) -> tuple[str, str, str]:
    file, before, after = (str(row[key]) for key in ("file", "before", "after"))
    return file.removeprefix("src/electrode_grains/"), before, after


def _count(name: str, possible: int, rows: list[dict[str, Any]]) -> str:
    outcomes = Counter(row["outcome"] for row in rows)
    tried = len(rows) - outcomes["equivalent"]
    killed = outcomes["killed"] + outcomes["timeout"]
    share = "-"
    if tried:
        p = killed / tried
        error = (p * (1 - p) / tried * max(0, 1 - tried / possible)) ** 0.5
        share = f"{100 * p:.1f} ± {100 * error:.1f} %"
    counts = [outcomes[each] for each in ("timeout", "equivalent", "survived")]
    return _line([name, possible, tried, killed, *counts, share])


def _line(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
