"""Which rooms are mutated, which of their modules are for numba, and which it takes in."""

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


def inlined_modules(project: Path, room: str) -> set[str]:
    """Files of a room whose functions compiled loops of other files take in, as paths.

    Numba keeps machine code by the file of a loop: that of a mutant would be that of the unharmed
    source. Nor can they run interpreted, since their operations are generated for compiled code.
    """
    texts = {
        name: text
        for name, text in _texts(project).items()
        if name.startswith(f"electrode_grains.{room}.")
    }
    extending = [name for name, text in texts.items() if _imports(text, "numba.extending")]
    found = {
        name
        for name, text in texts.items()
        if name in extending or any(_imports(text, each) for each in extending)
    }
    return {f"src/{name.replace('.', '/')}.py" for name in found}


def naming_tests(project: Path, files: set[str]) -> set[str]:
    """Files of tests that import one of some modules by its name."""
    names = "|".join(Path(file).stem for file in files)
    pattern = re.compile(rf"^(from|import) .*\b({names})\b", re.MULTILINE)
    return {
        file.relative_to(project).as_posix()
        for file in project.glob("tests/unit/*/*.py")
        if pattern.search(file.read_text(encoding="utf-8"))
    }


def _texts(project: Path) -> dict[str, str]:
    sources = project / "src"
    return {
        ".".join(file.relative_to(sources).with_suffix("").parts): file.read_text(encoding="utf-8")
        for file in sorted((sources / "electrode_grains").rglob("*.py"))
    }


def _imports(text: str, module: str) -> bool:
    return re.search(rf"^\s*from {re.escape(module)} import", text, re.MULTILINE) is not None
