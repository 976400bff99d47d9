"""What a project says of itself; everything else here is the same for all projects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.pipeline import Pipeline

from electrode_grains.runs.sources import ProjectCode


@dataclass(frozen=True)
class RunConfiguration:
    """A project whose runs are recorded, locked and resumed.

    Attributes
    ----------
    code : ProjectCode
        Whose changes outdate results.
    version : str
        Of the project, for its manifests.
    data_folder : callable
        Takes the folder of the project and the configuration, and returns the folder of all data,
        which one run holds at a time.
    check_parameters : callable
        Takes all parameters and all pipelines, and refuses parameters that nobody reads.
    analysis : str
        Name of the pipeline that computes everything from raw data.
    """

    code: ProjectCode
    version: str
    data_folder: Callable[[Path, Mapping[str, Any]], Path]
    check_parameters: Callable[[Mapping[str, Any], Iterable[Pipeline]], None]
    analysis: str = "__default__"
