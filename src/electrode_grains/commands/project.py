"""The project that a command works on: its folder, configuration and data."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, TypeVar

import click
from pydantic import BaseModel, ValidationError

from electrode_grains.base import setting_refusals
from electrode_grains.commands.console import echo
from electrode_grains.errors import InputError, SettingsError

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline

Settings = TypeVar("Settings", bound=BaseModel)


@dataclass(frozen=True)
class Project:
    """A folder with configuration and data.

    Attributes
    ----------
    path : Path
    environment : str or None
        As in `kedro run --env`, or the variable KEDRO_ENV.
    config : OmegaConfigLoader
    catalog : DataCatalog
    """

    path: Path
    environment: str | None
    config: Any
    catalog: Any

    def settings(self, key: str, model: type[Settings]) -> Settings:
        """Build the settings below a key such as ``preprocessing.stack``.

        Raises
        ------
        SettingsError
            If a value is impossible or unknown.
        """
        values = self.config["parameters"]
        for part in key.split("."):
            values = values[part]
        try:
            return model(**values)
        except ValidationError as error:
            raise setting_refusals(error, model, key)[0] from None

    @property
    def data_folder(self) -> Path:
        """Folder that a run locks."""
        from electrode_grains.configuration import data_folder

        return data_folder(self.path, self.config)

    @property
    def pipelines(self) -> Mapping[str, Pipeline]:
        """Pipelines of the project by name."""
        from kedro.framework.project import pipelines

        return pipelines

    def run(self, pipeline: str, **options: Any) -> None:
        """Run a pipeline; further options are those of `Session.create`."""
        from electrode_grains.settings import Session

        session = Session.create(project_path=self.path, env=self.environment, **options)
        with session:
            session.run(pipeline_names=[pipeline])

    def exists(self, name: str) -> bool:
        """Whether a dataset was made already."""
        return bool(self.catalog.exists(name))

    def load(self, name: str, made_by: str) -> Any:
        """Load a dataset.

        Raises
        ------
        InputError
            If it does not exist, with the pipeline that makes it.
        """
        if not self.exists(name):
            raise InputError(
                f"there is no {name} yet",
                where=str(self.file_of(name)),
                remedy=self.run_command(made_by),
            )
        return self.catalog.load(name)

    def run_command(self, pipelines: str = "") -> str:
        """Command that runs pipelines of the project, to be pasted into a shell here."""
        words = ["kedro run"]
        if self.path not in (here := Path.cwd().resolve(), *here.parents):
            words.insert(0, f"cd {quote(str(self.path))} &&")
        if self.environment:
            words.append(f"--env {quote(self.environment)}")
        if pipelines:
            words.append(f"--pipelines {pipelines}")
        return " ".join(words)

    def check(
        self, names: Iterable[str], *, force: bool = False, disregard: Collection[str] = ()
    ) -> None:
        """Refuse results that `kedro run` would refuse as inputs: changed, unrecorded, outdated.

        Raises
        ------
        InputError
            Naming the first one; with `force` it is a warning instead.
        """
        from electrode_grains.configuration import check_results

        check_results(self.path, self.environment, names, force=force, disregard=disregard)

    def load_all(
        self,
        made_by: Mapping[str, str],
        *,
        force: bool = False,
        disregard: Collection[str] = (),
    ) -> dict[str, Any]:
        """Load results that belong together.

        Parameters
        ----------
        made_by : mapping of str to str
            Datasets, and the pipeline that makes each.
        force : bool
            Take them as they are.
        disregard : collection of str
            Datasets whose change does not matter, since the caller accounts for it.

        Raises
        ------
        InputError
            If one does not exist, `check` refuses it, or it changes while they are loaded.
        """
        from electrode_grains.runs.store import DatasetStore

        store = DatasetStore(self.catalog)
        before = {name: store.digests(name) for name in made_by}
        self.check(made_by, force=force, disregard=disregard)
        loaded = {name: self.load(name, step) for name, step in made_by.items()}
        for name, digests in before.items():
            if store.digests(name) != digests:
                raise InputError(
                    f"{name} was changed while it was read",
                    where=str(self.file_of(name)),
                    remedy="wait for the run that writes it, then give the same command again",
                )
        return loaded

    def load_current(
        self, made_by: Mapping[str, str], *, disregard: Collection[str] = ()
    ) -> dict[str, Any] | None:
        """Load results that belong together; None, with the reason printed, if they are outdated.

        None too where one of them does not exist.
        """
        if not all(map(self.exists, made_by)):
            return None
        try:
            return self.load_all(made_by, disregard=disregard)
        except InputError as error:
            echo(f"{error.message}, and is not used: {error.found or error.where}")
            return None

    def file_of(self, name: str) -> Path:
        """File or folder that keeps a dataset.

        Raises
        ------
        SettingsError
            If the catalog lacks it.
        """
        dataset = self.catalog.get(name)
        if dataset is None:
            raise SettingsError(
                "the catalog of this project lacks a dataset",
                where=str(self.path / "conf" / "base"),
                found=f"no {name}",
                remedy="the project is older than the package: make a new one with "
                "electrode-grains init, and copy its conf/base here",
            )
        described = dataset._describe()
        return Path(str(described.get("filepath") or described.get("path")))


def project_options(function: Any) -> Any:
    """Add the options that choose a project."""
    for option in (
        click.option("--env", help="Configuration environment, as in kedro run --env."),
        click.option(
            "--project",
            type=click.Path(path_type=Path, file_okay=False),
            help="Folder of the project; by default the one around the current folder.",
        ),
    ):
        function = option(function)
    return function


def open_project(
    project: Path | None, env: str | None, runtime_params: dict[str, Any] | None = None
) -> Project:
    """Find a project and read its configuration.

    Raises
    ------
    InputError
        If there is none.
    SettingsError
        If it has no such environment.
    """
    from electrode_grains.configuration import check_environment

    env = env or os.environ.get("KEDRO_ENV")
    folder = find_project(project or Path.cwd())
    conf = folder / "conf"
    if env:
        check_environment(conf, env)
    os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(conf / "logging.yml"))
    from kedro.framework.project import settings
    from kedro.framework.startup import bootstrap_project
    from kedro.io import DataCatalog

    from electrode_grains import pipeline_registry

    pipeline_registry.PROJECT = folder
    bootstrap_project(folder)
    # The command itself reports what is wrong, once.
    logging.getLogger("kedro").setLevel(logging.CRITICAL)
    config = settings.CONFIG_LOADER_CLASS(
        conf_source=str(conf),
        env=env,
        runtime_params=runtime_params or {},
        **settings.CONFIG_LOADER_ARGS,
    )
    entries = {name: _anchored(entry, folder) for name, entry in config["catalog"].items()}
    return Project(folder, env, config, DataCatalog.from_config(entries))


def find_project(start: Path) -> Path:
    """Nearest folder of a project, from a folder upwards.

    Raises
    ------
    InputError
        If there is none.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        declared = folder / "pyproject.toml"
        configured = (folder / "conf" / "base").is_dir() and declared.is_file()
        if configured and "[tool.kedro]" in declared.read_text(encoding="utf-8"):
            return folder
    raise InputError(
        "there is no project here",
        where=str(start.resolve()),
        remedy="electrode-grains init DIR --scans FOLDER makes one; or name it by --project",
    )


def _anchored(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Entry of a catalog whose paths hold wherever the command was called."""
    return {
        key: str(folder / value) if key in ("filepath", "path") else value
        for key, value in entry.items()
    }
