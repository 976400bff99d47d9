"""Plain images: grey values and a step, no orientations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile
import xarray as xr
from numpy.typing import NDArray
from PIL import Image

from electrode_grains.ebsd.points import STRICT, ReadingOptions, clean_quality
from electrode_grains.ebsd.sizes import can_hold
from electrode_grains.problems import InputProblem, Problem, SettingsProblem

SUFFIXES = (".png", ".tif", ".tiff")
_TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_MARK = b"\x89PNG\r\n\x1a\n"
_BY_PAGES, _AS_NOTED = False, None  # by what its pages are, or by what the writer noted about them


def recognize(head: bytes) -> bool:
    """Tell by the first bytes of a file whether it is a PNG or TIFF image."""
    return head.startswith((_PNG_MARK, *_TIFF_MARKS))


def list_images(path: str | os.PathLike[str]) -> list[str]:
    """Names of the images in a file: its own, or those of the pages of a TIFF stack."""
    file = Path(path)
    pages = _count_pages(file)
    return [file.stem] if pages == 1 else [f"{file.stem}_{page:04d}" for page in range(pages)]


def _count_pages(file: Path) -> int:
    if file.suffix.lower() == ".png":
        return 1
    with _refusing_damage(file):
        with tifffile.TiffFile(file) as tiff:  # equal pages, written one by one, are a stack
            seen = _BY_PAGES if len(tiff.series) > 1 else _AS_NOTED
        with tifffile.TiffFile(file, is_shaped=seen) as tiff:
            series = _held_series(file, tiff)
            others = sum(map(_is_own, tiff.pages)) - len(series)
            _refuse_several(file, others, series.shape)
            return _length(series)


def _read_page(file: Path, page: int) -> tuple[NDArray[np.generic], str]:
    """Values of a page and the axes of what it belongs to."""
    with _refusing_damage(file):
        for seen in _BY_PAGES, _AS_NOTED:  # the first is faster, but knows no stack within one page
            with tifffile.TiffFile(file, is_shaped=seen) as tiff:
                series = _held_series(file, tiff)
                if page < _length(series):
                    return series.asarray(key=page if _is_stack(series) else None), series.axes
    raise InputProblem("an image has no such page", where=str(file), found=str(page))


def _is_own(page: tifffile.TiffPage | tifffile.TiffFrame) -> bool:
    """Tell an image from a small copy of one."""
    return isinstance(page, tifffile.TiffFrame) or not page.is_reduced


def _length(series: tifffile.TiffPageSeries) -> int:
    return series.shape[0] if _is_stack(series) else 1


def _is_stack(series: tifffile.TiffPageSeries) -> bool:
    return len(series.shape) == 3 and series.axes[-1] != "S"


@contextmanager
def opened_image(file: Path) -> Iterator[Image.Image]:
    """Lend an image, once its checksums hold: PNG has one for each of its parts.

    Parameters
    ----------
    file : Path
        PNG or TIFF.

    Raises
    ------
    InputProblem
        If the image cannot be read, here or while it is used.
    """
    with _refusing_damage(file):
        with Image.open(file) as image:
            image.verify()  # decoding alone passes over the checksums of the pixels
        with Image.open(file) as image:
            _refuse_several(file, getattr(image, "n_frames", 1) - 1)
            yield image


def _held_series(file: Path, tiff: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """First series of a TIFF, once it is known that the file can hold it."""
    series = tiff.series[0]
    stored = file.stat().st_size
    if not (series.size and can_hold(stored, series.nbytes)):
        raise InputProblem(
            "an image announces more pixels than the file can hold, or none",
            where=str(file),
            found=f"shape {series.shape}, {stored} bytes",
            remedy="save it again; its header was edited or damaged",
        )
    return series


def _refuse_several(file: Path, others: int, shape: tuple[int, ...] | None = None) -> None:
    """Refuse a file whose further images nobody would read."""
    if others > 0:
        raise InputProblem(
            "a file holds several images that are no stack of one size",
            where=str(file),
            found=f"{others} more" + (f" than those of shape {shape}" if shape else ""),
            expected="one image, or a TIFF stack of slices",
            remedy="save the one to be read, its layers merged, in a file of its own",
        )


@contextmanager
def _refusing_damage(file: Path) -> Iterator[None]:
    """Turn what image libraries raise on damaged files into a refusal."""
    try:
        yield
    except Problem:
        raise
    except Exception as error:  # no common ancestor
        raise InputProblem(
            "an image cannot be read",
            where=str(file),
            found=f"{type(error).__name__}: {error}".splitlines()[0][:120],
            remedy="save it again; the file may have been cut short",
        ) from error


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
    InputProblem
        If the image has colours or cannot be read.
    SettingsProblem
        If no step is given.
    """
    file = Path(path)
    if options.step_nm is None or not (np.isfinite(options.step_nm) and options.step_nm > 0):
        raise SettingsProblem(
            "plain images do not tell the distance of their pixels",
            where=file.name,
            found=f"step_nm = {options.step_nm}",
            expected="a length in nm",
            remedy="set preprocessing.stack.step_nm",
        )
    grey = _read_grey(file, page)
    notes: list[str] = []
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


def _read_grey(file: Path, page: int) -> NDArray[np.generic]:
    if file.suffix.lower() == ".png":
        with opened_image(file) as image:
            values = np.asarray(image)
            kind = f"colour mode {image.mode}"
            colourless = image.mode in ("L", "I", "F") or image.mode.startswith("I;16")
    else:
        values, axes = _read_page(file, page)
        kind = f"axes {axes}"
        colourless = True
    if values.size == 0:
        raise InputProblem("an image has no pixels", where=file.name, found=f"shape {values.shape}")
    if not colourless or values.ndim != 2:
        raise InputProblem(
            "an image has more than grey values",
            where=file.name,
            found=f"{kind}, shape {values.shape}",
            expected="one grey channel",
            remedy="convert it to greyscale",
        )
    return values
