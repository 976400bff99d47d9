"""The folder of a new project: configuration, layers of data, and what makes it one of Kedro."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from electrode_grains.commands.console import echo
from electrode_grains.errors import InputError
from electrode_grains.shipped import packaged_configuration
from electrode_grains.text import literal

SCANS, ANNOTATIONS = Path("data/01_raw/ebsd_scans"), Path("data/01_raw/slice_annotations")
LAYERS = (
    "01_raw", "02_intermediate", "03_primary", "04_feature", "05_model_input", "06_models",
    "07_model_output", "08_reporting",
)  # fmt: skip
OF_THE_USER = ("README.md", ".telemetry", ".gitignore")  # kept where they lie in the folder
PYPROJECT = """\
# Makes this folder a project of Kedro; the code is that of the installed package.
[tool.kedro]
package_name = "electrode_grains"
project_name = {name}
kedro_init_version = "{version}"
source_dir = "."
"""
DECLARED = "\n[tool.electrode_grains]\n"
GLOBALS = "# Where the data are, and what their files say of the crystal.\n"
PARAMETERS = "# What differs from conf/base, where every setting is explained.\n"
README = """\
# {name}

{facts}

| what | where |
| --- | --- |
| your own settings, and what the files said | `conf/local/` |
| every setting, explained | `conf/base/`, or `electrode-grains settings` |
{places}
| results | `data/07_model_output/`, the report in `data/08_reporting/report.html` |

{steps}
"""


@dataclass(frozen=True)
class NewProject:
    """What a project is made of.

    Attributes
    ----------
    folder : Path
    name, material : str
    facts : str
        A line about the data.
    places : mapping of str to str
        Where the data are, by what they are, for the README.
    steps : sequence of str
        What to do next.
    configured_globals, parameters : mapping
        Content of the files in conf/local.
    declared : mapping of str to str
        Lines of `[tool.electrode_grains]` in pyproject.toml, values as TOML.
    """

    folder: Path
    name: str
    material: str
    facts: str
    places: Mapping[str, str]
    steps: tuple[str, ...]
    configured_globals: Mapping[str, Any]
    parameters: Mapping[str, Any]
    declared: Mapping[str, str] = field(default_factory=dict)

    def write(self) -> None:
        """Write the project; pyproject.toml comes last, so that a failure leaves no project."""
        from kedro import __version__ as kedro_version

        for layer in LAYERS:
            (self.folder / "data" / layer).mkdir(parents=True, exist_ok=True)
        shipped = packaged_configuration()
        shutil.copytree(shipped / "base", self.folder / "conf" / "base")
        shutil.copy2(shipped / "logging.yml", self.folder / "conf" / "logging.yml")
        (self.folder / "conf" / "local").mkdir()
        particle = {"name": literal(self.name), "material": literal(self.material)}
        for file, text in (
            ("conf/local/globals.yml", GLOBALS + as_yaml(self.configured_globals)),
            (
                "conf/local/parameters.yml",
                PARAMETERS + as_yaml({"particle": particle, **self.parameters}),
            ),
            ("README.md", self._readme()),
            (".telemetry", "consent: false\n"),
            (".gitignore", "data/\nmlflow.db*\nmlruns/\n.viz/\n"),
            ("pyproject.toml", self._pyproject(kedro_version)),
        ):
            if file in OF_THE_USER and (self.folder / file).exists():
                echo(f"{self.folder / file} was there and stays as it is")
            else:
                (self.folder / file).write_text(text, encoding="utf-8")

    def _readme(self) -> str:
        places = [f"| {what} | `{literal(where)}` |" for what, where in self.places.items()]
        steps = [f"{number}. {step}" for number, step in enumerate(self.steps, start=1)]
        return README.format(
            name=literal(self.name),
            facts=self.facts,
            places="\n".join(places),
            steps="\n".join(steps),
        )

    def _pyproject(self, version: str) -> str:
        text = PYPROJECT.format(name=quote(literal(self.name)), version=version)
        lines = "".join(f"{name} = {value}\n" for name, value in self.declared.items())
        return text + DECLARED + lines if lines else text


def quote(text: str) -> str:
    """Printable text as a string of YAML and of TOML: that of JSON is both."""
    return json.dumps(text, ensure_ascii=False)


def as_yaml(content: Mapping[str, Any]) -> str:
    """Nested values as YAML, their order kept, their texts as texts."""
    # Letters as they are, but what YAML takes for the end of a line escaped.
    text = json.dumps(content, ensure_ascii=False)
    plain = not any(character in text for character in "\x85\u2028\u2029")
    return str(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=plain, width=10_000))


def refuse_occupied(folder: Path) -> None:
    """Refuse a folder that is a project.

    Raises
    ------
    InputError
        Naming what is there.
    """
    taken = [name for name in ("pyproject.toml", "conf") if (folder / name).exists()]
    if taken:
        raise InputError(
            "the folder is a project already",
            where=str(folder),
            found=", ".join(taken),
            remedy="name a new folder; nothing is overwritten",
        )


def refuse_unnameable(source: Path, *, inside: bool) -> None:
    """Refuse a path that the configuration would resolve.

    Raises
    ------
    InputError
        If it holds ${, and stays where it is.
    """
    if "${" in str(source) and not inside:
        raise InputError(
            "the place of the data would be resolved by the configuration",
            where=str(source),
            found="${ in a name",
            remedy="--copy takes the data along; or rename the folder",
        )
