"""Configuration files: refused with file and line where they cannot be read, nothing ignored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.pipeline import Pipeline
from kedro.validation import TypeExtractor
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ValidationError
from yaml import YAMLError

from electrode_grains import __version__
from electrode_grains.base import setting_refusals
from electrode_grains.configuration_size import refuse_oversized
from electrode_grains.errors import SettingsError, UserError
from electrode_grains.runs import ProjectCode
from electrode_grains.runs.configuration import RunConfiguration
from electrode_grains.text import meant
from electrode_grains.tracking import TrackingSettings

# What an environment names beside its parameters.
GLOBALS = {
    "data_root": "folder of all data of the particle",
    "ebsd_scans": "folder with one EBSD file per slice, or one file with all slices",
    "slice_annotations": "folder of the slices that a person labelled",
    "grain_map": "labels of another program, where the project starts from them",
    "laue_group": "Laue group of the crystal",
}
FORMATS = (".yml", ".yaml", ".json")
# Read by hooks, reports and exports, and no input of a step of its own.
OWN_KEYS = ("particle",)
# Of pipelines that only some projects have; conf/base explains their settings in all.
OPTIONAL_KEYS = (
    *("acquisition", "grain_map", "sections", "orientation_annotation", "preprocessing"),
    *("boundary_model", "segmentation", "compute", "characterization", "modelling", "generation"),
    "scenarios",
)


class RefusingConfigLoader(OmegaConfigLoader):
    """Kedro's loader, which says where a file is broken instead of failing inside a parser."""

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Configuration of a kind such as `parameters`.

        Raises
        ------
        SettingsError
            If a file cannot be read or grows too large, or a value in it cannot be resolved.
        """
        folders = (self.base_env, self.env or self.default_run_env)
        files = _files_of(Path(self.conf_source, each) for each in folders)
        _refuse_oversized_once(tuple((file, *_state(file)) for file in files))
        try:
            return dict(super().__getitem__(key))
        except (KeyError, MissingConfigException, UserError):
            raise
        # What YAML, OmegaConf and Kedro raise over a broken file has no common ancestor.
        except Exception as error:
            raise _refusal(key, (Path(self.conf_source, each) for each in folders), error) from None


def check_environment(conf: Path, name: str) -> None:
    """Refuse an environment that the configuration lacks.

    Raises
    ------
    SettingsError
        With those that exist.
    """
    if not (conf / name).is_dir():
        raise SettingsError(
            "there is no such environment",
            found=name,
            expected=", ".join(sorted(each.name for each in conf.iterdir() if each.is_dir())),
        )


def data_folder(project: Path, configuration: Mapping[str, Any]) -> Path:
    """Folder of all data of a particle, which one run holds at a time.

    Raises
    ------
    SettingsError
        If the configuration names none, or its path cannot be used.
    """
    root = configuration["globals"].get("data_root")
    if not root:
        raise SettingsError(
            "the configuration names no folder for the data",
            where="globals.yml",
            found="no data_root",
            remedy="add the line data_root: data",
        )
    folder = project / str(root)
    if set("{}") & set(str(folder)):
        raise SettingsError(
            "a path with braces cannot be used: Kedro takes them for the pattern of a name",
            where=str(folder),
            remedy="rename the folder, or move the project",
        )
    return folder


def unread_parameters(
    parameters: Mapping[str, Any], pipelines: Iterable[Pipeline]
) -> dict[str, str]:
    """Names of parameters that no step reads, such as misspelt ones.

    Parameters
    ----------
    parameters : mapping
        As configured.
    pipelines : iterable of Pipeline
        All pipelines of the project.

    Returns
    -------
    dict of str
        By each such name the nearest one that would be read.
    """
    inputs: set[str] = set().union(*(pipeline.inputs() for pipeline in pipelines))
    read = {name.removeprefix("params:") for name in inputs if name.startswith("params:")}
    read.update(OWN_KEYS)
    read.update(key for key in OPTIONAL_KEYS if not any(n.startswith(f"{key}.") for n in read))
    return {name: _nearest(name, read) for name in _outermost(parameters, read)}


def _nearest(name: str, read: Set[str]) -> str:
    depth, parent = name.count(".") + 1, name.rpartition(".")[0]
    alike = {".".join(each.split(".")[:depth]) for each in read if each.startswith(parent)}
    return f"settings below {name}" if name in alike else meant(name, alike)


def impossible_settings(
    configuration: Mapping[str, Any], pipelines: Mapping[str, Pipeline]
) -> tuple[list[SettingsError], list[str]]:
    """Settings that a step, MLflow or the catalog would refuse or pass over.

    Parameters
    ----------
    configuration : mapping
        With `parameters`, `globals` and `mlflow`, as the loader reads them.
    pipelines : mapping of str to Pipeline
        All pipelines of the project.

    Returns
    -------
    refusals : list of SettingsError
        One for each value.
    missing : list of str
        Groups that a step reads and nobody configures.
    """
    models: dict[str, type[BaseModel]] = TypeExtractor(
        dict(pipelines)
    ).extract_types_from_pipelines()
    refusals, missing = [], []
    for name in configuration["globals"]:
        if name not in GLOBALS and get_close_matches(name, GLOBALS, n=1, cutoff=0.8):
            refusals.append(
                SettingsError(
                    "there is no such setting",
                    where=f"globals.{name}",
                    expected=meant(name, GLOBALS),
                )
            )
    parameters = configuration["parameters"]  # read from its files at each look
    groups: dict[str, tuple[type[BaseModel], Any]] = {
        name: (model, _value_of(parameters, name)) for name, model in sorted(models.items())
    }
    groups["mlflow"] = (TrackingSettings, configuration["mlflow"])
    for name, (model, values) in groups.items():
        try:
            if values is None:
                missing.append(name)
            else:
                model.model_validate(values)
        except ValidationError as error:
            refusals += setting_refusals(error, model, name)
    return refusals, missing


def _value_of(parameters: Mapping[str, Any], name: str) -> Any:
    """Value of a group, None where it is not configured."""
    value: Any = parameters
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return {} if value is None else value


def refuse_impossible_settings(
    configuration: Mapping[str, Any], pipelines: Mapping[str, Pipeline]
) -> None:
    """Refuse settings before Kedro does, in our words.

    Raises
    ------
    SettingsError
        Naming the first of them, and how many there are.
    """
    refusals, _ = impossible_settings(configuration, pipelines)
    if refusals:
        first, others = refusals[0], len(refusals) - 1
        more = f"; electrode-grains check lists {others} more" if others else ""
        raise SettingsError(
            first.message,
            where=first.where,
            found=first.found,
            expected=first.expected,
            remedy=f"correct it in conf, or in --params{more}",
        )


def refuse_unread_parameters(parameters: Mapping[str, Any], pipelines: Iterable[Pipeline]) -> None:
    """Refuse parameters that no step reads: what they should have changed would be lost.

    Raises
    ------
    SettingsError
        Naming the first of them.
    """
    for name, nearest in unread_parameters(parameters, pipelines).items():
        raise SettingsError(
            "no step reads this parameter",
            where=name,
            expected=nearest,
            remedy="correct or remove it in conf, or in --params",
        )


def _outermost(
    values: Mapping[str, Any], read: Set[str], within: tuple[str, ...] = ()
) -> Iterator[str]:
    """Names above which and below which nothing is read, and values where a group is read."""
    for key, value in values.items():
        path = (*within, str(key))
        name = ".".join(path)
        if name in read:
            continue
        is_group = any(each.startswith(name + ".") for each in read)
        if is_group and isinstance(value, Mapping):
            yield from _outermost(value, read, path)
        else:
            yield name


def _files_of(folders: Iterable[Path]) -> list[Path]:
    """Configuration files of environments, of each in the order of their names."""
    return [
        file
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.suffix in FORMATS and file.is_file()
    ]


def _state(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=64)
def _refuse_oversized_once(files: tuple[tuple[Path, int, int], ...]) -> None:
    """Count files as they stand once: a run asks for its configuration some thirty times."""
    refuse_oversized(file for file, _, _ in files)


def _refusal(key: str, folders: Iterable[Path], error: Exception) -> SettingsError:
    """Name the file that is at fault, or else the kind of configuration."""
    for file in _files_of(folders):
        where, found = _fault_of(file)
        if where:
            return SettingsError(
                "a configuration file cannot be read",
                where=where,
                found=found,
                expected="YAML or JSON in UTF-8: settings by name, each name once",
                remedy="correct it, or take the file of a fresh copy of the project",
            )
    return SettingsError(
        "the configuration cannot be put together",
        where=f"{key} in conf",
        found=" ".join(str(error).split())[:300],
        remedy="correct what it names",
    )


def _fault_of(file: Path) -> tuple[str, str]:
    """Place and nature of the fault of a file, empty texts where it can be read."""
    try:
        with file.open(encoding="utf-8") as stream:
            settings = OmegaConf.load(stream)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        return f"{file}{line}", str(reason)
    except Exception as error:  # what OmegaConf and the codec raise
        return str(file), str(error).splitlines()[0]
    if not isinstance(settings, DictConfig):
        return str(file), "a list"
    return "", ""


# Packages whose version may change a number or a byte of what is written.
LIBRARIES = (
    *("numpy", "scipy", "pandas", "pyarrow", "xarray", "zarr", "scikit-image", "pystackreg"),
    *("pillow", "tifffile", "h5py", "torch", "safetensors", "numba", "copulae"),
    *("matplotlib", "plotly", "jinja2"),
)
RUNS = RunConfiguration(
    code=ProjectCode.of("electrode_grains", LIBRARIES),
    version=__version__,
    data_folder=data_folder,
    check_parameters=refuse_unread_parameters,
)


def check_results(
    project: Path,
    environment: str | None,
    names: Iterable[str],
    *,
    runtime_params: dict[str, Any] | None = None,
    force: bool = False,
    disregard: Collection[str] = (),
) -> None:
    """Refuse results that contradict each other or the settings; all commands read through this.

    Parameters
    ----------
    project : Path
        A project that is bootstrapped.
    environment : str or None
        As in `kedro run --env`.
    names : iterable of str
        Datasets that are read, such as ``["grain_label_volume", "grain_table"]``; those that do
        not exist are passed over.
    runtime_params : dict, optional
        As in `kedro run --params`.
    force : bool
        Take them as they are, with a warning.
    disregard : collection of str
        Datasets whose change makes nothing stale, such as edits that the reader replays.

    Raises
    ------
    InputError
        With what differs, and how to go on.
    """
    from electrode_grains.runs.project import check_results

    check_results(
        project,
        environment,
        names,
        RUNS,
        runtime_params=runtime_params,
        force=force,
        disregard=disregard,
    )
