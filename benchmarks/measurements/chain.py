"""A virtual particle through the whole chain, as `kedro run` computes it, and its scores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.segmentation import SPACING, Case, finished_run, measured, segmented
from benchmarks.specimens import united_grains
from electrode_grains.alignment import SliceTransforms, alignment_error, apply_transforms
from electrode_grains.commands.new_project import ANNOTATIONS, SCANS, NewProject
from electrode_grains.datasets.volume import VolumeDataset
from electrode_grains.grains import compare_statistics, score_labels
from electrode_grains.morphometry import characterize_grains
from electrode_grains.phantom import ParticleSettings
from electrode_grains.pipelines.acquisition.nodes import grow_particle

CODE = (
    "electrode_grains.phantom", "electrode_grains.pipelines.acquisition.nodes",
    "electrode_grains.pipelines.preprocessing.nodes",
    "electrode_grains.pipelines.boundary_model.nodes",
    "electrode_grains.pipelines.segmentation.nodes", "electrode_grains.morphometry",
)  # fmt: skip
PROJECT = "project"
SEGMENTED = ("segmentation_scores",)
MODELLED = ("table_1", "table_2", "table_3", "table_4")
SHAPES = ("equivalent_diameter_nm", "sphericity", "convexity", "elongation")


@dataclass(frozen=True)
class Chain:
    """Settings that differ from those of conf/base.

    Attributes
    ----------
    seed : int
        Of the particle; that of the scan follows it.
    particle, scan : mapping
        Of `acquisition`.
    stack : mapping
        Of `preprocessing.stack`.
    """

    seed: int
    particle: Mapping[str, Any] = field(default_factory=dict)
    scan: Mapping[str, Any] = field(default_factory=dict)
    stack: Mapping[str, Any] = field(default_factory=dict)

    def run(self, folder: Path, outputs: tuple[str, ...] = SEGMENTED) -> Path:
        """Compute what is not up to date in the project there; return its data folder."""
        project = folder / PROJECT
        shutil.rmtree(project / "conf", ignore_errors=True)
        self._project(project).write()
        (project / "conf" / "local" / "mlflow.yml").write_text("enabled: false\n")
        words = ["run", "--pipelines", "demo", f"--to-outputs={','.join(outputs)}"]
        with (folder / "run.log").open("a") as log:
            subprocess.run(
                [sys.executable, "-m", "kedro", *words], cwd=project, check=True, stdout=log,
                stderr=log, env={**os.environ, "COLUMNS": "160"},
            )  # fmt: skip
        return project / "data"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Scores of `combined` and `iq`, of the alignment, and means of the characteristics."""
        case, chosen = self.finished(folder)
        data = folder / PROJECT / "data"
        found = _volume(data, "07_model_output/grain_label_volume")
        by_image = segmented(case, "iq", chosen)
        united = self._united(case, data)
        return {
            "combined": self._scores(found, case, united),
            "iq": self._scores(by_image, case, united),
            "alignment": _alignment(data),
            "characteristics": {
                "segmented": _characteristics(found),
                "as tessellated": _characteristics(case.tessellated),
                "as acquired and aligned": _characteristics(case.truth),
            },
        }

    def finished(self, folder: Path) -> tuple[Case, tuple[float, float]]:
        """What the run there made of the particle; depth and threshold that it chose."""
        data = self.run(folder)
        choice = json.loads((data / "07_model_output/segmentation_choice.json").read_text())
        case = replace(finished_run(data), name=folder.name)
        return case, (choice["minima_depth"], choice["merge_boundary"])

    def _project(self, project: Path) -> NewProject:
        return NewProject(
            folder=project,
            name=project.parent.name,
            material="virtual LiNi0.5Mn0.3Co0.2O2 (NMC532)",
            facts="A virtual particle to measure the chain by.",
            places={},
            steps=(),
            configured_globals={
                "data_root": "data",
                "ebsd_scans": SCANS.as_posix(),
                "slice_annotations": ANNOTATIONS.as_posix(),
            },
            parameters={
                "acquisition": {
                    "particle": {"seed": self.seed, **self.particle},
                    "scan": {"seed": self.seed + 1, **self.scan},
                },
                "preprocessing": {"stack": dict(self.stack)},
            },
            declared={"virtual_particle": "true"},
        )

    @staticmethod
    def _scores(
        labels: NDArray[np.integer], case: Case, united: NDArray[np.int32]
    ) -> dict[str, float | None]:
        joined = score_labels(labels, united, SPACING)["matched"]["f1"]
        errors = compare_statistics(
            *(characterize_grains(one, SPACING) for one in (labels, united))
        )
        return {
            **measured(labels, case),
            "F1 united": joined,
            "s united": errors["mean"]["sphericity"]["error"],
            "c united": errors["mean"]["convexity"]["error"],
            "r(d, s) united": errors["correlation"]["equivalent_diameter_nm:sphericity"]["error"],
        }

    def _united(self, case: Case, data: Path) -> NDArray[np.int32]:
        """True grains, those neighbours joined that the settings take for one grain."""
        settings = ParticleSettings(seed=self.seed, **self.particle)
        particle, _ = grow_particle(settings)
        group = united_grains(particle)
        acquired = _volume(data, "01_raw/acquired_label_stack")
        return apply_transforms(group[acquired], _transforms(data), order=0)


def _volume(data: Path, name: str) -> NDArray[Any]:
    values: NDArray[Any] = VolumeDataset(filepath=str(data / f"{name}.ome.zarr")).load().to_numpy()
    return values


def _transforms(data: Path) -> SliceTransforms:
    described = json.loads((data / "02_intermediate/slice_transforms.json").read_text())
    return SliceTransforms.from_dict(described)


def _alignment(data: Path) -> dict[str, float]:
    true = json.loads((data / "01_raw/true_slice_transforms.json").read_text())
    return alignment_error(_transforms(data), np.asarray(true["matrices"]))


def _characteristics(labels: NDArray[np.integer]) -> dict[str, Any]:
    table = characterize_grains(labels, SPACING)
    whole = table[~table["touches_window"]]
    return {
        "grains": len(whole),
        **{name: [float(whole[name].mean()), float(whole[name].std())] for name in SHAPES},
    }
