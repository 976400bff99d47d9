"""Plain images: grey values and a step, no orientations."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from electrode_grains.ebsd import tiff
from electrode_grains.ebsd.image_files import opened_image, refusing_damage
from electrode_grains.ebsd.points import clean_quality
from electrode_grains.ebsd.settings import STRICT, ReadingOptions
from electrode_grains.errors import InputError, SettingsError

SUFFIXES = (".png", ".tif", ".tiff")
_TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_MARK = b"\x89PNG\r\n\x1a\n"


def recognize(head: bytes) -> bool:
    """Tell by the first bytes of a file whether it is a PNG or TIFF image."""
    return head.startswith((_PNG_MARK, *_TIFF_MARKS))


def list_images(path: str | os.PathLike[str]) -> list[str]:
    """Names of the images in a file: its own, or those of the pages of a TIFF stack."""
    file = Path(path)
    pages = 1 if _is_png(file) else tiff.count_pages(file)
    return [file.stem] if pages == 1 else [f"{file.stem}_{page:04d}" for page in range(pages)]


def read_image(
    path: str | os.PathLike[str], page: int = 0, options: ReadingOptions = STRICT
) -> xr.Dataset:
    """Read a grey image as a scan that knows no orientations.

    Parameters
    ----------
    path : path-like
        PNG or TIFF with one grey channel of any depth.
    page : int
        Image of a TIFF stack, from 0.
    options : ReadingOptions
        Holds the step, which images do not tell reliably.

    Returns
    -------
    xr.Dataset
        As `electrode_grains.ebsd.read_scan` describes it; the grey value is the image
        quality, no point is indexed.

    Raises
    ------
    InputError
        If the image has colours or cannot be read.
    SettingsError
        If no step is given.
    """
    file = Path(path)
    if options.step_nm is None or not (np.isfinite(options.step_nm) and options.step_nm > 0):
        raise SettingsError(
            "plain images do not tell the distance of their pixels",
            where=file.name,
            found=f"step_nm = {options.step_nm}",
            expected="a length in nm",
            remedy="set preprocessing.stack.step_nm",
        )
    grey, turned = _read_grey(file, page)
    notes: list[str] = []
    if turned != tiff.UPRIGHT:
        notes.append(
            f"a tag says that the image is shown turned or mirrored (orientation {turned}); its "
            "points are taken as they are stored"
        )
    quality = clean_quality(
        grey.ravel().astype(float), file.name, options.largest_bad_share, notes
    ).reshape(grey.shape)
    if np.nanmin(quality) == np.nanmax(quality):
        notes.append(f"the image is constant ({np.nanmin(quality):g})")
    step = float(options.step_nm)
    return xr.Dataset(
        {
            "image_quality": (("y", "x"), quality),
            "confidence_index": (("y", "x"), np.full(grey.shape, np.nan, np.float32)),
            "euler_angles": (("y", "x", "angle"), np.full((*grey.shape, 3), np.nan, np.float32)),
            "phase": (("y", "x"), np.zeros(grey.shape, np.int16)),
        },
        coords={
            "y": np.arange(grey.shape[0]) * step,
            "x": np.arange(grey.shape[1]) * step,
            "angle": ["phi1", "Phi", "phi2"],
        },
        attrs={
            "source": file.stem,
            "step_nm": (step, step),
            "phases": (),
            "notes": tuple(notes),
        },
    )


def _is_png(file: Path) -> bool:
    """Whether an image is read as PNG: by its name or, where that is wrong, by its content."""
    with refusing_damage(file), file.open("rb") as stream:
        return file.suffix.lower() == ".png" or stream.read(len(_PNG_MARK)) == _PNG_MARK


def _read_grey(file: Path, page: int) -> tuple[NDArray[np.generic], int]:
    """Grey values as they are stored, and the orientation in which they are to be shown."""
    if _is_png(file):
        with opened_image(file) as image:
            values = np.asarray(image)
            kind = f"colour mode {image.mode}"
            colourless = image.mode in ("L", "I", "F") or image.mode.startswith("I;16")
            turned = image.getexif().get(tiff.ORIENTATION, tiff.UPRIGHT)
    else:
        values, axes = tiff.read_page(file, page)
        kind = f"axes {axes}"
        colourless = True
        turned = tiff.orientation(file, page)
    if not colourless or values.ndim != 2:
        raise InputError(
            "an image has more than grey values",
            where=file.name,
            found=f"{kind}, shape {values.shape}",
            expected="one grey channel",
            remedy="convert it to greyscale",
        )
    return values, turned
