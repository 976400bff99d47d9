"""The page that says of every published number what proves it: ``python -m benchmarks.validation``.

What the tests prove is kept in ``validation.json`` by
``pytest --proofs benchmarks/validation.json tests/unit``; formulas, known biases and what other
programs do differently stand in ``validation.toml``.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from electrode_grains.descriptors import DESCRIPTORS

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "validation.md"
TITLES = {
    "grain_table": "Columns of the grain table",
    "contact_table": "Columns of the contact table",
    "void_table": "Columns of the void table",
    "particle_summary": "Keys of the particle summary, headline of the report",
    "report_tables": "Tables 1 to 4",
    "marginal_fits": "Fits of characteristics (Tables 1 and 2)",
    "copula_fits": "Fits of pairs (Tables 3 and 4)",
}
HEAD = """# Proof of every number

Every number that a run publishes, with its formula, what it is held against, and the largest
error that the tests have seen. Oracles are a *closed form*, *another program*, *high precision*
arithmetic, a *metamorphic* relation (what must not change, or changes in a known way), and a
*simulated truth*. Errors of lengths, areas and volumes are relative, others absolute; "passes"
means within the tolerance that the test states. The page is made from the tests by
`make validation`.
"""


def quantities() -> dict[str, dict[str, dict[str, Any]]]:
    """Formula, unit, bias and deviations by table and quantity.

    A descriptor whose declaration says all of that needs no entry in the file.
    """
    declared = tomllib.loads((HERE / "validation.toml").read_text(encoding="utf-8"))
    tables = {
        table: {name: entry for entry in entries for name in entry["names"]}
        for table, entries in declared.items()
    }
    for name, known in DESCRIPTORS.items():
        stated = {"unit": known.unit, "formula": known.meaning}
        tables["grain_table"].setdefault(name, stated)
    return tables


def proofs() -> list[dict[str, Any]]:
    """What the tests proved when they were last run for this page."""
    kept: list[dict[str, Any]] = json.loads((HERE / "validation.json").read_text())
    return kept


def page(declared: Mapping[str, Mapping[str, Mapping[str, Any]]], proved: Iterable[Any]) -> str:
    """Write the page.

    Parameters
    ----------
    declared : mapping
        As from `quantities`.
    proved : iterable of mapping
        As from `proofs`.

    Returns
    -------
    str
        Markdown, one table per kind of result.
    """
    by_quantity: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for proof in proved:
        by_quantity.setdefault((proof["table"], proof["quantity"]), []).append(proof)
    parts = [HEAD]
    for table, title in TITLES.items():
        parts += [
            f"\n## {title}\n",
            "| number | unit | formula | held against: largest error | known bias | elsewhere |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for name, entry in declared.get(table, {}).items():
            known = by_quantity.get((table, name), ())
            held = "; ".join(_held(proof, bool(entry.get("whole"))) for proof in known)
            cells = (
                f"`{name}`", entry.get("unit", ""), entry["formula"], held or "**nothing**",
                entry.get("bias", "none"), entry.get("elsewhere", ""),
            )  # fmt: skip
            parts.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(parts) + "\n"


def _held(proof: Mapping[str, Any], whole: bool) -> str:
    error = proof["largest_error"]
    shown = ("equal" if whole else "passes") if error is None else f"{error:.1g}"
    return f"{proof['oracle']} ({proof['by']}): {shown}"


if __name__ == "__main__":
    PAGE.write_text(page(quantities(), proofs()), encoding="utf-8")
    print(f"{PAGE.relative_to(HERE.parent)}: {len(proofs())} proofs")
