"""Version of the code: a digest of the sources that a step can reach by imports."""

from __future__ import annotations

import ast
import hashlib
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

BESIDE = (".css", ".j2", ".js", ".json", ".safetensors", ".yml")  # what a package holds beside code


@dataclass(frozen=True)
class ProjectCode:
    """The code of a project, as far as it decides what a step writes.

    Attributes
    ----------
    package : str
        Name of the package whose modules count.
    root : Path
        Its folder.
    libraries : tuple of str
        Packages whose version may change a number or a byte of what is written.
    """

    package: str
    root: Path
    libraries: tuple[str, ...] = ()

    @classmethod
    def of(cls, package: str, libraries: Iterable[str] = ()) -> ProjectCode:
        """Code of an installed package."""
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError(f"{package} is no installed package", name=package)
        return cls(package, Path(spec.submodule_search_locations[0]), tuple(libraries))

    def digest(self, modules: Iterable[str]) -> str:
        """Digest of modules and of all modules of the package that they import, at any depth.

        Imports inside functions and those of lazy_loader count; so do the templates of a package.
        """
        reached = self.reached_modules(modules)
        total = hashlib.blake2b(digest_size=20)
        for file in sorted({file for module in reached for file in _files(self, module)}):
            total.update(file.relative_to(self.root).as_posix().encode() + b"\0")
            total.update(_content(file))
        return total.hexdigest()

    def reached_modules(self, modules: Iterable[str]) -> set[str]:
        """Modules, and all of the package that they import, at any depth."""
        reached: set[str] = set()
        waiting = set(modules)
        while waiting:
            module = waiting.pop()
            reached.add(module)
            waiting |= _imports(self, module) - reached
        return reached

    def library_versions(self) -> dict[str, str]:
        """Versions of Python and of the libraries."""
        return {"python": platform.python_version(), **_versions(self.libraries)}

    def source(self, module: str) -> Path | None:
        """File of a module of the package, None where the name is no module."""
        if module != self.package and not module.startswith(self.package + "."):
            return None
        place = self.root.joinpath(*module.removeprefix(self.package).split(".")[1:])
        for file in (place / "__init__.py", place.with_name(place.name + ".py")):
            if file.is_file():
                return file
        return None


def code_version(project: Path) -> dict[str, str]:
    """Commit of a project and whether the working tree differs from it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=project, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        return {"git.commit": git("rev-parse", "HEAD"), "git.dirty": str(bool(git("status", "-s")))}
    except (OSError, subprocess.SubprocessError):
        return {"git.commit": "not a git checkout"}


@cache
def _versions(libraries: tuple[str, ...]) -> dict[str, str]:
    versions = {}
    for name in libraries:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


@cache
def _content(file: Path) -> bytes:
    return hashlib.blake2b(file.read_bytes(), digest_size=20).digest()


@cache
def _files(code: ProjectCode, module: str) -> tuple[Path, ...]:
    source = code.source(module)
    if source is None:
        return ()
    if source.name != "__init__.py" or source.parent == code.root:
        return (source,)
    beside = (file for file in source.parent.rglob("*") if file.is_file())
    return (source, *(file for file in beside if file.suffix in BESIDE))


@cache
def _imports(code: ProjectCode, module: str) -> frozenset[str]:
    """Modules of the package that a module imports, and the packages that it lies in."""
    source = code.source(module)
    if source is None:
        return frozenset()
    package = module if source.name == "__init__.py" else module.rpartition(".")[0]
    names = {module.rpartition(".")[0]}
    for file in (source, source.with_suffix(".pyi")):  # lazy_loader reads what a stub imports
        if file.is_file():
            for statement in ast.walk(ast.parse(file.read_bytes())):
                names |= _imported(statement, package)
    return frozenset(name for name in names if code.source(name) is not None)


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
