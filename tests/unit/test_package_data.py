"""What the package reads at run time comes with its wheel."""

import tomllib
from pathlib import Path

import electrode_grains

PACKAGE = Path(electrode_grains.__file__).parent


def test_every_file_beside_the_code_is_declared():
    settings = tomllib.loads((PACKAGE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["electrode_grains"]
    declared = {file for pattern in patterns for file in PACKAGE.glob(pattern)}
    beside = {
        file
        for file in PACKAGE.rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyi") and "__pycache__" not in file.parts
    }
    assert beside
    assert beside - declared == set()
