"""Which rooms are mutated, and which of their modules are for numba."""

from __future__ import annotations

import re
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


def interpreted_with(project: Path, module: str) -> tuple[str, ...]:
    """Modules that run interpreted where one for numba is mutated: it, and what calls its loops.

    Compiled loops can call no interpreted one, so that modules for numba that import from the
    mutated one are interpreted too.
    """
    texts = {name: text for name, text in _texts(project).items() if "import njit" in text}
    found = [module]
    for name in found:  # which grows
        found += [each for each in texts if each not in found and _imports(texts[each], name)]
    return tuple(found)


def callers(project: Path, modules: tuple[str, ...]) -> set[str]:
    """Files that import from modules for numba, tests too, and those modules.

    Coverage sees no line of a compiled loop, but those of who may call it.
    """
    sources = {f"src/{name.replace('.', '/')}.py": name for name in _texts(project)}
    tests = (file.relative_to(project).as_posix() for file in project.glob("tests/unit/*/*.py"))
    return {
        file
        for file in (*sources, *tests)
        if sources.get(file) in modules
        or any(_imports((project / file).read_text(encoding="utf-8"), each) for each in modules)
    }


def _texts(project: Path) -> dict[str, str]:
    sources = project / "src"
    return {
        ".".join(file.relative_to(sources).with_suffix("").parts): file.read_text(encoding="utf-8")
        for file in sorted((sources / "electrode_grains").rglob("*.py"))
    }


def _imports(text: str, module: str) -> bool:
    return re.search(rf"^\s*from {re.escape(module)} import", text, re.MULTILINE) is not None
