"""Painting and proofreading in napari, where it is installed (extra `viewer`)."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from electrode_grains import figures
from electrode_grains.classes import LABEL_COLOURS
from electrode_grains.commands.console import echo, is_interactive
from electrode_grains.errors import InputError, UserError

if TYPE_CHECKING:
    import pandas as pd

Voxel = tuple[int, int, int]
INSTALL = "pip install 'electrode-grains[viewer]'"
PAINTING = (
    "labels: 1 boundary (orange), 2 interior (blue), 3 background (grey), 0 unknown. "
    "Ctrl-Shift-S saves, so does closing"
)
PROOFREADING = (
    "click = mark; in the layer 'marks': Shift-R removes the marked grains, Shift-M merges them, "
    "Shift-S splits one between its marks, Shift-C clears the marks"
)


def available() -> bool:
    """Whether napari is installed and a screen is there."""
    installed = all(importlib.util.find_spec(name) for name in ("napari", "qtpy"))
    screen = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return installed and screen


def use_viewer(asked: bool | None, exporting: bool) -> bool:
    """Whether to open napari: as asked, or else where it is and a person sees it.

    Raises
    ------
    InputError
        If it was asked for and cannot be opened.
    """
    if asked and not available():
        raise InputError(
            "napari cannot be opened",
            found="it is not installed, or there is no screen",
            remedy=f"{INSTALL}; or go on with the exported images, without --viewer",
        )
    if asked is not None:
        return asked
    if not available() and is_interactive():
        echo(f"napari would show them here ({INSTALL}); images are written instead")
    return available() and is_interactive() and not exporting


def open_window(title: str) -> Any:
    """An empty napari viewer."""
    import napari

    return napari.Viewer(title=title)


def show_annotation(
    viewer: Any,
    image_quality: NDArray[np.floating],
    annotation: NDArray[np.uint8],
    spacing: tuple[float, float, float],
    proposed: Sequence[int],
    save: Callable[[NDArray[np.uint8]], str],
    *,
    aligned: NDArray[np.floating] | None = None,
) -> None:
    """Show slices for painting.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    image_quality : ndarray of float, shape (z, y, x)
        In the frame in which slices are labelled.
    annotation : ndarray of uint8, shape (z, y, x)
        Classes so far; painted in place.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.
    proposed : sequence of int
        Slices to label; the first one is shown.
    save : callable
        Takes the classes, returns a line to show.
    aligned : ndarray of float, shape (z, y, x), optional
        Aligned image quality, as a hidden layer to compare with.
    """
    from napari.utils import DirectLabelColormap

    if aligned is not None:
        _add_image(viewer, aligned, "aligned image quality", spacing, visible=False)
    _add_image(viewer, image_quality, "image quality", spacing)
    colours = {None: (0.0, 0.0, 0.0, 0.0), 0: (0.0, 0.0, 0.0, 0.0)} | {
        value: (*(part / 255 for part in LABEL_COLOURS[value]), 1.0) for value in (1, 2, 3)
    }
    labels = viewer.add_labels(
        annotation,
        name="classes",
        scale=spacing,
        opacity=0.5,
        colormap=DirectLabelColormap(color_dict=colours),
    )
    labels.selected_label, labels.brush_size, labels.mode = 1, 1, "paint"
    viewer.text_overlay.text = f"{PAINTING}\nproposed slices: {', '.join(map(str, proposed))}"
    viewer.text_overlay.visible = True
    _go_to(viewer, (proposed[0] if proposed else len(annotation) // 2, 0, 0), spacing)

    @viewer.bind_key("Control-Shift-S", overwrite=True)
    def _save(viewer: Any) -> None:
        try:
            viewer.status = save(labels.data)
        except UserError as problem:
            _warn(viewer, problem)


def show_segmentation(
    viewer: Any,
    image_quality: NDArray[np.floating],
    labels: NDArray[Any],
    spacing: tuple[float, float, float],
    record: Callable[[str, Sequence[Voxel]], NDArray[Any]],
    *,
    orientation_colours: NDArray[np.floating] | None = None,
) -> None:
    """Show a segmentation for proofreading.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    image_quality : ndarray of float, shape (z, y, x)
    labels : ndarray of int, shape (z, y, x)
    spacing : (float, float, float)
        (dz, dy, dx) in nm.
    record : callable
        Takes an action and voxels, keeps the edit, returns the labels with it.
    orientation_colours : ndarray of float, shape (z, y, x, 3), optional
        Colours of an inverse pole figure, as a hidden layer.
    """
    _add_image(viewer, image_quality, "image quality", spacing)
    if orientation_colours is not None:
        viewer.add_image(
            orientation_colours, name="orientation (IPF)", rgb=True, scale=spacing, visible=False
        )
    grains = viewer.add_labels(labels, name="grains", scale=spacing, opacity=0.4)
    marks = viewer.add_points(
        np.empty((0, 3)), name="marks", ndim=3, scale=spacing, size=3, face_color="red"
    )
    marks.mode = "add"
    viewer.text_overlay.text = PROOFREADING
    viewer.text_overlay.visible = True

    def act(action: str) -> Callable[[Any], None]:
        def apply(layer: Any) -> None:
            voxels = [(int(z), int(y), int(x)) for z, y, x in np.rint(layer.data)]
            try:
                grains.data = record(action, voxels)
            except UserError as problem:
                _warn(viewer, problem)
                return
            viewer.status = f"recorded: {action} at {voxels}"
            layer.data = np.empty((0, 3))

        return apply

    for key, action in (("Shift-R", "remove"), ("Shift-M", "merge"), ("Shift-S", "split")):
        marks.bind_key(key, act(action), overwrite=True)

    @marks.bind_key("Shift-C", overwrite=True)
    def _clear(layer: Any) -> None:
        layer.data = np.empty((0, 3))


def suspect_list(viewer: Any, suspects: pd.DataFrame, spacing: tuple[float, float, float]) -> Any:
    """List of suspects; choosing one goes to the grain.

    Parameters
    ----------
    viewer : napari.Viewer or napari.components.ViewerModel
    suspects : DataFrame
        The dataset `suspect_table`.
    spacing : (float, float, float)
        (dz, dy, dx) in nm.

    Returns
    -------
    QListWidget
        To be added with ``viewer.window.add_dock_widget``.
    """
    from qtpy.QtWidgets import QListWidget

    listed = QListWidget()
    listed.setObjectName("suspects")
    voxels = suspects[["z", "y", "x"]].to_numpy(int).tolist()
    for row in suspects.itertuples():
        listed.addItem(f"{row.rank}. grain {row.label}: {row.reason}")
    listed.currentRowChanged.connect(lambda row: _go_to(viewer, voxels[row], spacing))
    if voxels:
        listed.setCurrentRow(0)
    return listed


def run() -> None:
    """Hand over to napari until its window is closed."""
    import napari

    napari.run()


def _warn(viewer: Any, problem: UserError) -> None:
    from napari.utils.notifications import show_warning

    viewer.status = problem.message
    show_warning(str(problem))


def _add_image(
    viewer: Any,
    values: NDArray[np.floating],
    name: str,
    spacing: tuple[float, float, float],
    visible: bool = True,
) -> None:
    viewer.add_image(
        values,
        name=name,
        colormap="gray",
        scale=spacing,
        contrast_limits=figures.grey_range(values),
        visible=visible,
    )


def _go_to(viewer: Any, voxel: Sequence[int], spacing: Sequence[float]) -> None:
    viewer.dims.set_point(range(3), [at * step for at, step in zip(voxel, spacing, strict=True)])
    if any(voxel[1:]):
        viewer.camera.center = tuple(at * step for at, step in zip(voxel, spacing, strict=True))
