"""Tables of the documentation from the measurements that are kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measurements.records import Row
from benchmarks.measurements.rows import FLIPS, MODELS, PARTS, SEGMENTATION, SWEEP
from benchmarks.segmentation import COLUMNS, cells

DOCS = Path(__file__).parents[2] / "docs"
MARK = re.compile(r"(<!-- measurements: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
LENGTHS = ("step_rms_px", "cumulated_rms_px", "window_rms_px", "raw_rms_px")
SYMBOLS = {
    "equivalent_diameter_nm": "d / nm", "sphericity": "s", "convexity": "c", "elongation": "e",
}  # fmt: skip
UNITED = ("s united", "c united", "r(d, s) united")
Kept = Iterable[tuple[Row, Mapping[str, Any]]]


def kept(rows: Iterable[Row]) -> list[tuple[Row, dict[str, Any]]]:
    """Those rows that were measured, with what was."""
    found = ((row, row.record()) for row in rows)
    return [(row, record) for row, record in found if record is not None]


def segmentation(measured: Kept) -> str:
    heads = ("united", "united: s, c, r(d, s)", "date")
    lines = [_row("particle, mode", *COLUMNS, *heads), _rule(len(COLUMNS) + len(heads))]
    for mode in ("combined", "iq"):
        for row, record in measured:
            numbers = record["numbers"][mode]
            known = [numbers[key] for key in UNITED if key in numbers]  # kept since 2026-11-30
            shapes = ", ".join(f"{value:+.3f}" for value in known)
            shown = (*cells(numbers), f"{numbers['F1 united']:.3f}", shapes, record["date"])
            lines.append(_row(f"{row.title}, `{mode}`", *shown))
    return _short("\n".join(lines)) + _machines(measured)


def characteristics(measured: Kept) -> str:
    parts = []
    for row, record in measured:
        if row.key != "demo":
            continue
        columns: dict[str, dict[str, Any]] = record["numbers"]["characteristics"]
        heads = [f"{name} ({values['grains']})" for name, values in columns.items()]
        lines = [_row(f"demo, {record['date']}", *heads), _rule(len(heads))]
        for name, symbol in SYMBOLS.items():
            digits = 0 if symbol.endswith("nm") else 3
            pairs = (values[name] for values in columns.values())
            lines.append(_row(symbol, *(f"{m:.{digits}f} ± {s:.{digits}f}" for m, s in pairs)))
        parts.append(_short("\n".join(lines)))
    return "\n\n".join(parts)


def alignment(measured: Kept) -> str:
    heads = ("step, px", "centre, px", "window, px", "not aligned, px", "rotation, degrees", "date")
    lines = [_row("particle", *heads), _rule(len(heads))]
    for row, record in measured:
        error = record["numbers"]["alignment"]
        shown = [f"{error[name]:.2f}" for name in LENGTHS]
        turn = f"{np.degrees(error['rotation_rms_rad']):.3f}"
        lines.append(_row(row.title, *shown, turn, record["date"]))
    return _short("\n".join(lines))


def flips(measured: Kept) -> str:
    heads = ("grains", "F1 auto", "F1 on", "F1 off", "F1 on, twins united", "decided",
             "right of these", "of one lattice", "right of those", "right of all",
             "date")  # fmt: skip
    lines = [_row("flipped; patches", *heads), _rule(len(heads))]
    for row, record in measured:
        numbers = record["numbers"]
        patch = "points" if row.key.startswith("flips-0") else "patches"
        shown = [f"{numbers[name]:.3f}" if name in numbers else "" for name in heads[1:-1]]
        lines.append(
            _row(f"{row.title}; {patch}", f"{numbers['grains']:.0f}", *shown, record["date"])
        )
    return _short("\n".join(lines)) + _machines(measured)


def parts(measured: Kept) -> str:
    lines = []
    for _, record in measured:
        lines += [_row(f"demo, {record['date']}", *COLUMNS), _rule(len(COLUMNS))]
        lines += [_row(name, *cells(numbers)) for name, numbers in record["numbers"]["parts"]]
    return _short("\n".join(lines)) + _machines(measured)


def sweep(measured: Kept) -> str:
    modes = ("combined", "orientation", "iq")
    lines = []
    for _, record in measured:
        lines += [_row(f"wrong points; demo, {record['date']}", *modes), _rule(len(modes))]
        for share, scores in sorted(record["numbers"].items()):
            pairs = (f"{f1:.3f} / {error:.3f}" for f1, error in map(scores.get, modes))
            lines.append(_row(share, *pairs))
    return _short("\n".join(lines)) + _machines(measured)


def models(measured: Kept) -> str:
    parts = []
    for _, record in measured:
        for name, text in sorted(record["numbers"].items()):
            parts.append(f"**{name.replace('_', ' ').capitalize()}**\n\n{text.strip()}")
    return "\n\n".join(parts) + _machines(measured)


TABLES: Mapping[str, tuple[Callable[[Kept], str], tuple[Row, ...]]] = {
    "segmentation": (segmentation, SEGMENTATION),
    "characteristics": (characteristics, SEGMENTATION),
    "alignment": (alignment, SEGMENTATION),
    "flips": (flips, FLIPS),
    "parts": (parts, (PARTS,)),
    "sweep": (sweep, (SWEEP,)),
    "models": (models, (MODELS,)),
}


def with_tables(text: str) -> str:
    """A page with its tables as the measurements make them."""

    def table(found: re.Match[str]) -> str:
        make, rows = TABLES[found[2]]
        measured = kept(rows)
        shown = make(measured) if measured else "Not measured yet: `make measurements`."
        return f"{found[1]}\n{shown}\n\n{found[3]}"

    return MARK.sub(table, text)


def pages() -> list[Path]:
    """Pages of the documentation that hold such tables."""
    return [page for page in sorted(DOCS.rglob("*.md")) if MARK.search(page.read_text("utf-8"))]


def write_tables() -> None:
    """Bring the pages up to the measurements."""
    for page in pages():
        page.write_text(with_tables(page.read_text("utf-8")), encoding="utf-8")


def _row(*values: str) -> str:
    return f"| {' | '.join(values)} |"


def _rule(columns: int) -> str:
    return "| :--- |" + " ---: |" * columns


def _short(table: str) -> str:
    """Numbers below 1 without their leading zero, as in all pages."""
    return re.sub(r"(?<![\d.])0(\.\d)", r"\1", table)


def _machines(measured: Kept) -> str:
    used: dict[str, list[float]] = {}
    for _, record in measured:
        used.setdefault(record["machine"], []).append(record["processor_seconds"])
    told = [
        f"{name} ({min(times):.0f} to {max(times):.0f} s of processor time a row)"
        if min(times) < max(times)
        else f"{name} ({times[0]:.0f} s of processor time)"
        for name, times in used.items()
    ]
    return f"\n\n{'; '.join(told)}." if told else ""
