"""What napari shows and records; skipped where the extra `viewer` is not installed."""

import os

import numpy as np
import pandas as pd
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("napari")

from napari.components import ViewerModel

from electrode_grains.commands import viewer
from electrode_grains.errors import InputError, SettingsError

pytestmark = pytest.mark.filterwarnings("ignore")
SPACING = (50.0, 30.0, 30.0)
QUALITY = np.random.default_rng(3).normal(100, 20, (6, 30, 40)).astype(np.float32)


def press(keymap, key):
    """Call what a key is bound to."""
    (bound,) = [action for name, action in keymap.items() if str(name) == key]
    return bound


def test_painted_classes_are_saved_by_a_key_and_seen_in_the_array_that_was_given():
    saved = []

    def save(classes):
        saved.append(classes.copy())
        return "1 slice saved"

    classes = np.zeros(QUALITY.shape, np.uint8)
    shown = ViewerModel()
    viewer.show_annotation(shown, QUALITY, classes, SPACING, [3], save, aligned=QUALITY)
    assert shown.dims.current_step[0] == 3
    shown.layers["classes"].paint((3, 10, 10), 2)
    press(shown.keymap, "Ctrl+Shift+S")(shown)
    assert saved[0][3, 10, 10] == classes[3, 10, 10] == 2
    assert shown.status == "1 slice saved"


def test_a_refused_save_is_shown_and_leaves_the_painting():
    def save(classes):
        raise InputError("an annotation shows no grain boundary")

    classes = np.zeros(QUALITY.shape, np.uint8)
    shown = ViewerModel()
    viewer.show_annotation(shown, QUALITY, classes, SPACING, [], save)
    shown.layers["classes"].paint((1, 5, 5), 2)
    press(shown.keymap, "Ctrl+Shift+S")(shown)
    assert shown.status == "an annotation shows no grain boundary"
    assert classes[1, 5, 5] == 2


@pytest.fixture
def proofread():
    labels = np.ones(QUALITY.shape, np.int32)
    labels[:, 15:] = 2
    recorded = []

    def record(action, voxels):
        if action == "merge" and len(voxels) < 2:
            raise SettingsError("edit 1 (merge) does not name its voxels")
        recorded.append((action, voxels))
        return np.where(labels == 2, 1, labels)

    shown = ViewerModel()
    viewer.show_segmentation(shown, QUALITY, labels, SPACING, record)
    return shown, recorded


def test_marks_become_an_edit_and_disappear(proofread):
    shown, recorded = proofread
    marks = shown.layers["marks"]
    marks.add([(2, 3, 5), (2, 20, 5)])
    press(marks.keymap, "Shift+M")(marks)
    assert recorded == [("merge", [(2, 3, 5), (2, 20, 5)])]
    assert shown.layers["grains"].data.max() == 1
    assert len(marks.data) == 0


def test_a_refused_edit_keeps_marks_and_labels(proofread):
    shown, recorded = proofread
    marks = shown.layers["marks"]
    marks.add((2, 3, 5))
    press(marks.keymap, "Shift+M")(marks)
    assert recorded == []
    assert len(marks.data) == 1
    assert shown.layers["grains"].data.max() == 2
    assert "does not name its voxels" in shown.status


def test_choosing_a_suspect_goes_to_its_voxel(proofread):
    widgets = pytest.importorskip("qtpy.QtWidgets")
    application = widgets.QApplication.instance() or widgets.QApplication([])
    shown, _ = proofread
    suspects = pd.DataFrame(
        {"rank": [1, 2], "label": [7, 9], "reason": ["weak", "large"],
         "z": [2, 4], "y": [3, 20], "x": [5, 6]}
    )  # fmt: skip
    listed = viewer.suspect_list(shown, suspects, SPACING)
    assert shown.dims.current_step[0] == 2
    listed.setCurrentRow(1)
    assert listed.item(1).text() == "2. grain 9: large"
    assert tuple(shown.dims.current_step) == (4, 20, 6)
    assert tuple(shown.camera.center) == (200.0, 600.0, 180.0)
    del application
