"""Version of the code: a digest of the sources that a step can reach by imports."""

from __future__ import annotations

import ast
import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGE = "electrode_grains"
ROOT = Path(__file__).parents[1]
# Packages whose version may change a number or a byte of what is written.
LIBRARIES = (
    *("numpy", "scipy", "pandas", "pyarrow", "xarray", "zarr", "scikit-image", "pystackreg"),
    *("pillow", "tifffile", "h5py", "torch", "safetensors", "numba", "copulae"),
    *("matplotlib", "plotly", "jinja2"),
)


BESIDE = (".css", ".j2", ".js", ".json", ".safetensors", ".yml")  # what a package holds beside code


def code_digest(modules: Iterable[str]) -> str:
    """Digest of modules and of all modules of this package that they import, at any depth.

    Imports inside functions count; so do the templates of a package.

    Examples
    --------
    >>> code_digest(["electrode_grains.volumes"]) == code_digest(["electrode_grains.errors"])
    False
    """
    total = hashlib.blake2b(digest_size=20)
    for file in sorted({file for module in reached_modules(modules) for file in _files(module)}):
        total.update(file.relative_to(ROOT).as_posix().encode() + b"\0")
        total.update(_content(file))
    return total.hexdigest()


def reached_modules(modules: Iterable[str]) -> set[str]:
    """Modules, and all of this package that they import, at any depth."""
    reached: set[str] = set()
    waiting = set(modules)
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting |= _imports(module) - reached
    return reached


@cache
def library_versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute and write."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _source(module: str) -> Path | None:
    """File of a module of this package, None where the name is no module."""
    if module != PACKAGE and not module.startswith(PACKAGE + "."):
        return None
    place = ROOT.joinpath(*module.split(".")[1:])
    for file in (place / "__init__.py", place.with_name(place.name + ".py")):
        if file.is_file():
            return file
    return None


@cache
def _content(file: Path) -> bytes:
    return hashlib.blake2b(file.read_bytes(), digest_size=20).digest()


@cache
def _files(module: str) -> tuple[Path, ...]:
    source = _source(module)
    if source is None:
        return ()
    if source.name != "__init__.py" or source.parent == ROOT:
        return (source,)
    beside = (file for file in source.parent.rglob("*") if file.is_file())
    return (source, *(f for f in beside if f.suffix in BESIDE))


@cache
def _imports(module: str) -> frozenset[str]:
    """Modules of this package that a module imports, and the packages that it lies in."""
    source = _source(module)
    if source is None:
        return frozenset()
    is_package = source.name == "__init__.py"
    package = module if is_package else module.rpartition(".")[0]
    names = {module.rpartition(".")[0]}
    for file in (source, source.with_suffix(".pyi")):  # lazy_loader reads what a stub imports
        if file.is_file():
            for statement in ast.walk(ast.parse(file.read_bytes())):
                names |= _imported(statement, package)
    return frozenset(name for name in names if _source(name) is not None)


def _imported(statement: ast.AST, package: str) -> set[str]:
    """Names that may be modules: of imports, also relative ones, and of calls of lazy_loader."""
    if isinstance(statement, ast.Import):
        return {alias.name for alias in statement.names}
    if isinstance(statement, ast.ImportFrom):
        above = package.split(".")[: 1 - statement.level or None] if statement.level else []
        base = ".".join([*above, *([statement.module] if statement.module else [])])
        return {base, *(f"{base}.{alias.name}" for alias in statement.names)}
    if isinstance(statement, ast.Call) and _called(statement) in ("attach", "load"):
        texts = {
            each.value
            for argument in (*statement.args, *(word.value for word in statement.keywords))
            for each in ast.walk(argument)
            if isinstance(each, ast.Constant) and isinstance(each.value, str)
        }
        return texts | {f"{package}.{text}" for text in texts}
    return set()


def _called(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))
