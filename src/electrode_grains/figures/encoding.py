"""Pictures, arrays and values as text that one HTML page can hold."""

from __future__ import annotations

import base64
import io
import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from electrode_grains.errors import InputError
from electrode_grains.figures.style import grey_range, own_style
from electrode_grains.text import printable

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
LOSSLESS = 100
SCREEN_WIDTH, SCREEN_QUALITY = 1600, 85
LARGEST_EXACT_NUMBER = 2**53
"""Integers beyond this lose digits in JavaScript and travel as text."""


def png_data_uri(
    picture: Figure | NDArray[Any] | bytes, dots_per_inch: int = 150, webp_quality: int = 0
) -> str:
    """Encode a figure or an image as a data URI.

    Parameters
    ----------
    picture : Figure, ndarray or bytes
        A figure; an image of shape (rows, columns), grey, or (rows, columns, 3 or 4),
        colours in [0, 1] or, as uint8, in 0 to 255; or the bytes of a PNG.
    dots_per_inch : int
        Resolution of a figure.
    webp_quality : int
        From 1 to 99: encode an array as WebP of this quality; 100: as lossless WebP, the
        smallest for flat colours; 0: as PNG.

    Returns
    -------
    str
        ``data:image/png;base64,...`` or ``data:image/webp;base64,...``.

    Raises
    ------
    InputError
        If the bytes are no PNG or the array is no image.

    Examples
    --------
    >>> png_data_uri(np.zeros((2, 2), dtype=np.uint8))[:22]
    'data:image/png;base64,'
    """
    if isinstance(picture, Figure | bytes):
        return _data_uri("png", _png(picture, dots_per_inch))
    return _encode_array(_as_bytes(np.asarray(picture)), webp_quality)


def screen_picture(picture: Figure | bytes) -> str:
    """Encode a figure for a page: as wide as a screen shows, a fraction of the print's bytes.

    Parameters
    ----------
    picture : Figure or bytes
        A figure or a PNG, which may have the resolution of a print.

    Returns
    -------
    str
        Data URI of a WebP, the figure's PNG where that is smaller.

    Raises
    ------
    InputError
        If the bytes are no PNG.
    """
    original = _png(picture)
    with Image.open(io.BytesIO(original)) as opened:
        image = opened.convert("RGB")
    image.thumbnail((SCREEN_WIDTH, SCREEN_WIDTH * 3), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, format="WEBP", quality=SCREEN_QUALITY, method=6)
    smaller = stream.getvalue()
    return _data_uri(*(("webp", smaller) if len(smaller) < len(original) else ("png", original)))


def picture_size(source: str) -> tuple[int, int]:
    """Width and height in pixels of an image in a data URI.

    Examples
    --------
    >>> picture_size(png_data_uri(np.zeros((2, 3), dtype=np.uint8)))
    (3, 2)
    """
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as image:
        return image.size


def _png(picture: Figure | bytes, dots_per_inch: int = 150) -> bytes:
    """Bytes of a figure as PNG; those of a PNG as they are."""
    if isinstance(picture, Figure):
        return _figure_png(picture, dots_per_inch)
    if not picture.startswith(PNG_SIGNATURE):
        raise InputError(
            "the bytes of a picture are no PNG",
            found=repr(picture[:8]),
            expected=repr(PNG_SIGNATURE),
        )
    return picture


def packed(array: NDArray[Any]) -> str:
    r"""Compress an array's bytes (little-endian, zlib) and write them in base64.

    Examples
    --------
    >>> zlib.decompress(base64.b64decode(packed(np.array([1, 2], dtype=np.uint16))))
    b'\x01\x00\x02\x00'
    """
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(little.tobytes(), 9)).decode("ascii")


def jsonable(value: Any) -> Any:
    """Turn tables, arrays and settings into what JSON can hold.

    Undefined numbers become null, integers beyond 2^53 text, whatever else its text.

    Examples
    --------
    >>> jsonable({"a": np.float64("nan"), "b": (np.int32(3), True), 5: 2**60})
    {'a': None, 'b': [3, True], '5': '1152921504606846976'}
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        number = int(value)
        return number if abs(number) <= LARGEST_EXACT_NUMBER else str(number)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, Mapping):
        return {str(key): jsonable(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())  # a number where the array has no axis
    if isinstance(value, list | tuple | set | frozenset | pd.Series):
        return [jsonable(part) for part in value]
    return str(value)


def inline_json(value: Any) -> str:
    r"""Write JSON that can stand inside a script element.

    Examples
    --------
    >>> print(inline_json({"name": "</script>"}))
    {"name":"\u003c/script\u003e"}
    """
    text = json.dumps(jsonable(value), allow_nan=False, separators=(",", ":"))
    for character in "<>&'":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def page_environment() -> Environment:
    """Templates of pages: text is escaped, and its control characters are shown."""
    return Environment(
        loader=PackageLoader("electrode_grains.figures", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


def _shown(value: Any) -> Any:
    return printable(value) if type(value) is str else value  # markup is the page's own


def _figure_png(figure: Figure, dots_per_inch: int) -> bytes:
    stream = io.BytesIO()
    with own_style({"savefig.facecolor": "white"}):
        figure.savefig(stream, format="png", dpi=dots_per_inch, metadata={"Software": None})
    stream.seek(0)
    # A figure needs few colours; a palette takes a third of the bytes.
    drawn = Image.open(stream).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    smaller = io.BytesIO()
    drawn.save(smaller, format="PNG", optimize=True)
    return min(smaller.getvalue(), stream.getvalue(), key=len)


def _as_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    if (
        image.ndim not in (2, 3)
        or 0 in image.shape
        or (image.ndim == 3 and image.shape[2] not in (3, 4))
    ):
        raise InputError(
            "this array is no image",
            found=f"shape {image.shape}",
            expected="(rows, columns) or (rows, columns, 3 or 4)",
        )
    if image.dtype == np.uint8:
        return image
    values = image.astype(float)
    if image.ndim == 2:
        low, high = grey_range(values)
        values = (values - low) / (high - low)
    return np.asarray(np.clip(np.nan_to_num(values), 0, 1) * 255 + 0.5, dtype=np.uint8)


def _encode_array(image: NDArray[np.uint8], webp_quality: int) -> str:
    stream = io.BytesIO()
    if webp_quality:
        lossless = webp_quality >= LOSSLESS
        Image.fromarray(image).save(
            stream, format="WEBP", quality=webp_quality, lossless=lossless, method=4
        )
        return _data_uri("webp", stream.getvalue())
    Image.fromarray(image).save(stream, format="PNG", optimize=True)
    return _data_uri("png", stream.getvalue())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
