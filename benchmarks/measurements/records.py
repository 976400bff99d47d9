"""A measurement as it is kept: numbers with date, machine, seeds and a digest of the code."""

from __future__ import annotations

import ast
import hashlib
import json
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from electrode_grains.runs import atomic_write
from electrode_grains.runs.sources import BESIDE, ProjectCode

KEPT = Path(__file__).parent / "kept"
WORK = Path(__file__).parents[2] / "data" / "measurements"  # git ignores it


LOGGED = "electrode_grains.tracking"


@dataclass(frozen=True)
class Row:
    """What one measurement is, before it is made.

    Attributes
    ----------
    key : str
        Name of its file.
    title : str
        What the table calls it.
    measure : callable
        Takes a folder to work in, which a measurement that was killed finds as it left it;
        returns numbers by name.
    code : tuple of str
        Modules of the package, with all that they import, that the numbers speak of.
    seeds : tuple of int
    """

    key: str
    title: str
    measure: Callable[[Path], Mapping[str, Any]]
    code: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def file(self) -> Path:
        return KEPT / f"{self.key}.json"

    def record(self) -> dict[str, Any] | None:
        """The measurement that is kept; None where there is none."""
        if not self.file.exists():
            return None
        kept: dict[str, Any] = json.loads(self.file.read_text("utf-8"))
        return kept

    def digest(self) -> str:
        """Of the code as it is now, without comments and docstrings, and of what lies beside it.

        Tracking is left out: what is logged, and how it is shown, changes no number.
        """
        code = ProjectCode.of("electrode_grains")
        total = hashlib.blake2b(digest_size=20)
        for module in sorted(code.reached_modules(self.code)):
            if module.startswith(LOGGED):
                continue
            source = code.source(module)
            assert source is not None, module
            total.update(module.encode() + b"\0" + _meaning(source))
            if source.name == "__init__.py" and source.parent != code.root:
                for file in sorted(source.parent.iterdir()):
                    if file.suffix in BESIDE:
                        total.update(file.read_bytes())
        return total.hexdigest()

    def reason_to_measure(self) -> str | None:
        """Why the row is no longer true of the code; None where it is."""
        kept = self.record()
        if kept is None:
            return "not measured"
        if kept["seeds"] != list(self.seeds):
            return f"measured with other seeds, {kept['date']}"
        return None if kept["code"] == self.digest() else f"older than the code, {kept['date']}"

    def make(self) -> None:
        """Measure in this process, and keep the numbers."""
        digest = self.digest()  # before, lest a change meanwhile be taken for measured
        folder = WORK / self.key
        folder.mkdir(parents=True, exist_ok=True)
        begun = time.perf_counter()
        numbers = self.measure(folder)
        record = {
            "schema_version": 1,
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
            "seeds": list(self.seeds),
            "code": digest,
            "processor_seconds": round(_processor_seconds()),
            "wall_seconds": round(time.perf_counter() - begun),
            "numbers": numbers,
        }
        KEPT.mkdir(exist_ok=True)
        with atomic_write(self.file) as (partial,):
            text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False)
            partial.write_text(text + "\n", "utf-8")


@cache
def _meaning(source: Path) -> bytes:
    """A module as Python understands it: no change of words alone makes a measurement old."""
    tree = ast.parse(source.read_text("utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                if ast.get_docstring(node) is not None:
                    node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree).encode()


def machine() -> str:
    """Processor, its widest vectors and how many cores, where the system tells."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    known = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    flags = known.get("flags", "").split()
    vectors = next((name for name in ("avx512f", "avx2", "avx") if name in flags), "")
    cores = sum(line.startswith("processor") for line in lines)
    model = known.get("model name", "unknown processor").strip()
    return ", ".join(filter(None, [model, vectors.upper().removesuffix("F"), f"{cores} cores"]))


def _processor_seconds() -> float:
    """Of this process and of the ended ones that it began."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
