"""A real FIB-EBSD stack that nobody here made, from its folder to fits."""

import os
from pathlib import Path

import numpy as np
import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from electrode_grains.datasets.folders import ScanFolderDataset
from electrode_grains.ebsd import annotation_fits, misorientation_in_slices

FOLDER = os.environ.get("ELECTRODE_GRAINS_IRON_3D", "")
pytestmark = pytest.mark.skipif(
    not Path(FOLDER, "S00.ANG").exists(),
    reason="ELECTRODE_GRAINS_IRON_3D does not name the folder of S00.ANG to S58.ANG",
)
STEPS = ("preprocessing", "boundary_model", "segmentation", "characterization", "modelling")


class Kept(MemoryDataset):
    """Stays in memory after the last node that needs it."""

    def _release(self):
        pass


@pytest.fixture(scope="module")
def results(project):
    """All results of the environment `real`, in memory."""
    bootstrap_project(project)
    with KedroSession.create(project_path=project, env="real") as session:
        configured = session.load_context().catalog
    steps = sum((pipelines[name] for name in STEPS), pipelines["orientation_annotation"])
    parameters = {
        name: configured.load(name) for name in steps.inputs() if name.startswith("params:")
    }
    quick = parameters["params:boundary_model.training"].model_copy(update={"epochs": 4})
    parameters["params:boundary_model.training"] = quick
    scans = ScanFolderDataset(path=FOLDER).load()
    given = parameters | {"ebsd_scans": scans}
    given |= {"true_grain_label_volume": None, "acquired_label_stack": None}
    given |= {"slice_annotations": {}, "segmentation_edits": []}
    catalog = DataCatalog(
        {name: Kept(given[name]) if name in given else Kept() for name in steps.datasets()}
    )
    SequentialRunner().run(steps, catalog)
    return catalog


def test_labels_of_another_slice_are_named_and_right_ones_raise_no_doubt(results):
    assert not any(fit["doubt"] for fit in results.load("annotation_checks")["slices"])
    raw = results.load("image_quality_stack").to_numpy()
    orientations = results.load("orientation_stack").to_numpy()[:4]
    angles = misorientation_in_slices(orientations, "m-3m")
    for name, classes in results.load("orientation_annotations").items():
        z = list(results.load("scan_index").slices).index(name)
        for distance in (1, 3, 6, 10, 20):
            placed = np.zeros(raw.shape, np.uint8)
            placed[z + distance if z + distance < len(raw) else z - distance] = classes
            (fit,) = annotation_fits(placed, raw, raw, "raw", None, angles)
            assert f"fits slice {z} (" in fit["doubt"]


def test_coordinates_win_over_a_header_that_contradicts_them(results):
    volume = results.load("image_quality_stack")
    assert volume.shape == (59, 40, 35)
    assert volume.attrs["spacing_nm"] == (400.0, 400.0, 400.0)
    assert float(volume[0].mean()) == pytest.approx(180.3814, abs=1e-4)
    assert len(results.load("scan_index").notes) == 59


def test_the_stage_did_not_move_beyond_errors_and_the_shape_of_grains(results):
    transforms = results.load("slice_transforms")
    assert not transforms.evidence.moves
    np.testing.assert_array_equal(transforms.shift_x, 0)


def test_four_slices_are_labelled_from_their_orientations(results):
    annotations = results.load("orientation_annotations")
    assert list(annotations) == ["S12", "S23", "S35", "S46"]
    for classes in annotations.values():
        assert {1, 2} <= set(np.unique(classes))


def test_the_network_finds_boundaries_on_a_slice_it_has_not_seen(results):
    assert results.load("boundary_scores").scores.boundary_f1 > 0.6


def test_grains_are_found_measured_and_fitted(results):
    table = results.load("grain_table")
    assert len(table) > 50
    fits = results.load("marginal_fits").characteristics
    assert fits["equivalent_diameter_nm"].best is not None
    assert results.load("segmentation_scores").truth is None
