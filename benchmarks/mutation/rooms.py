"""Which rooms are mutated, and which of their modules are for numba."""

from __future__ import annotations

from pathlib import Path

ROOMS = {
    "readers": "ebsd",
    "morphometry": "morphometry",
    "fits": "distributions",
    "segmentation": "grains",
    "alignment": "alignment",
    "engine": "runs",
}


def compiled_modules(project: Path, room: str) -> set[str]:
    """Files of a room whose functions numba compiles, as paths in the project."""
    sources = (project / "src" / "electrode_grains" / room).glob("*.py")
    return {
        file.relative_to(project).as_posix()
        for file in sources
        if "import njit" in file.read_text(encoding="utf-8")
    }
