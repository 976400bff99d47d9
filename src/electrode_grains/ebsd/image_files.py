"""Image files: opened where they are whole, refused where they are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from electrode_grains.errors import InputError, UserError


@contextmanager
def opened_image(file: Path) -> Iterator[Image.Image]:
    """Lend an image, once its checksums hold: PNG has one for each of its parts.

    Parameters
    ----------
    file : Path
        PNG or TIFF.

    Raises
    ------
    InputError
        If the image cannot be read, here or while it is used.
    """
    with refusing_damage(file):
        with Image.open(file) as image:
            image.verify()  # decoding alone passes over the checksums of the pixels
        with Image.open(file) as image:
            refuse_several(file, getattr(image, "n_frames", 1) - 1)
            yield image


def refuse_several(file: Path, others: int, shape: tuple[int, ...] | None = None) -> None:
    """Refuse a file whose further images nobody would read."""
    if others > 0:
        raise InputError(
            "a file holds several images that are no stack of one size",
            where=str(file),
            found=f"{others} more" + (f" than those of shape {shape}" if shape else ""),
            expected="one image, or a TIFF stack of slices",
            remedy="save the one to be read, its layers merged, in a file of its own",
        )


@contextmanager
def refusing_damage(file: Path) -> Iterator[None]:
    """Turn what image libraries raise on damaged files into a refusal."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # no common ancestor
        packed = "imagecodecs" in str(error)  # what tifffile wants for all but deflate
        raise InputError(
            "an image cannot be read",
            where=str(file),
            found=f"{type(error).__name__}: {error}".splitlines()[0][:120],
            remedy="save it without compression, or as PNG"
            if packed
            else "save it again; the file may have been cut short",
        ) from error
