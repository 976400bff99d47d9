"""Images of labels: which class each point has, and copies of one slice that must agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from electrode_grains.classes import LABEL_COLOURS
from electrode_grains.ebsd.image_files import opened_image
from electrode_grains.ebsd.placement import check_classes
from electrode_grains.ebsd.tiff import ORIENTATION, UPRIGHT
from electrode_grains.errors import InputError

PALETTE = tuple(value for colour in LABEL_COLOURS for value in colour)
JPEG = "JPEG"
FORMATS = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"}


def readers_of_images(
    files: Iterable[Path], read: Callable[[Path], NDArray[np.uint8]]
) -> dict[str, Callable[[], NDArray[np.uint8]]]:
    """Map names without suffix to functions that read the labels; equal copies count once."""
    by_name: dict[str, list[Path]] = {}
    for file in files:
        by_name.setdefault(file.stem, []).append(file)
    return {name: partial(_read_equal, copies, read) for name, copies in by_name.items()}


def _read_equal(
    files: Sequence[Path], read: Callable[[Path], NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """Labels that all files of one slice hold.

    Raises
    ------
    InputError
        If they differ.
    """
    first, *others = [read(file) for file in files]
    for file, other in zip(files[1:], others, strict=True):
        if not np.array_equal(first, other):
            raise InputError(
                f"two files hold different labels of slice {file.stem!r}",
                where=str(file.parent.absolute()),
                found=f"{files[0].name} and {file.name}",
                remedy="keep the one that is right, and move the other one out of the folder",
            )
    return first


@contextmanager
def opened_labels(file: Path, *, lossy: bool = False) -> Iterator[Image.Image]:
    """Lend an image of labels that says what it shows: upright, and packed without loss.

    Parameters
    ----------
    file : Path
    lossy : bool
        Whether colours may be those that JPEG left.

    Raises
    ------
    InputError
        If the image cannot be read, is turned by a tag, or is no PNG or TIFF.
    """
    with opened_image(file) as image:
        if image.format not in (*FORMATS.values(), *([JPEG] if lossy else [])):
            raise InputError(
                "an annotation image has another format than its name says",
                where=str(file),
                found=str(image.format),
                expected="PNG or TIFF, which keep every class as it was painted",
                remedy="save it as PNG from the program in which it was painted",
            )
        if (turned := image.getexif().get(ORIENTATION, UPRIGHT)) != UPRIGHT:
            raise InputError(
                "an annotation image is to be shown turned or mirrored, says a tag in it",
                where=str(file),
                found=f"orientation {turned}",
                expected=f"orientation {UPRIGHT} or none: points as they lie in the scan",
                remedy="save it as PNG without metadata (EXIF), and look that it fits its scan",
            )
        yield image


def read_classes(file: Path) -> NDArray[np.uint8]:
    """Read the labels of an image that holds a class number per point."""
    with opened_labels(file) as image:
        if image.mode not in ("L", "P", "1", "I;16", "I"):
            raise InputError(
                "an annotation image must hold one class number per point",
                where=str(file),
                found=f"colour mode {image.mode}",
                expected="8-bit grey or palette image",
                remedy="save the labels as 8-bit indexed or grey PNG",
            )
        classes = np.asarray(image)
    check_classes(str(file), classes)
    return classes.astype(np.uint8)


def write_classes(classes: NDArray[np.uint8], file: Path, suffix: str = ".png") -> None:
    """Write labels as a palette image, PNG or TIFF by the suffix."""
    image = Image.fromarray(classes.astype(np.uint8), mode="P")
    image.putpalette(PALETTE)
    image.save(file, format=FORMATS[suffix.lower()])
