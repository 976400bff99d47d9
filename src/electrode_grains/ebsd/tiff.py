"""Pages of TIFF files, which carry no checksums: what the file says must fit together."""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NoReturn, cast

import numpy as np
import tifffile
from numpy.typing import NDArray

from electrode_grains.ebsd.image_files import refuse_several, refusing_damage
from electrode_grains.ebsd.sizes import plausible_size
from electrode_grains.errors import InputError

_BY_PAGES, _AS_NOTED = False, None  # by what its pages are, or by what the writer noted about them
_NEEDED_TAGS = (256, 257, 258, 259, 262)  # sizes, bits, compression, meaning of the values
# And: orientation, samples, rows of strips, where strips and tiles lie, planes, predictor, sizes
# of tiles, extra samples, kind of number, depths. A reader without one guesses on.
_DECISIVE_TAGS = (
    *_NEEDED_TAGS,
    *(266, 273, 274, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339, 32997, 32998),
)
_NONE = 1  # compression
ORIENTATION, UPRIGHT = 0x0112, 1


def count_pages(file: Path) -> int:
    """Images of a TIFF stack, or 1.

    Raises
    ------
    InputError
        If the file is damaged, or holds images that are no stack.
    """
    with refusing_damage(file):
        _check_headers(file)
    with _opened(file) as tiff:
        if len(tiff.series) == 1:
            return _checked_length(file, tiff)
    with _opened(file, _BY_PAGES) as tiff:  # equal pages, written one by one, are a stack
        return _checked_length(file, tiff)


def _checked_length(file: Path, tiff: tifffile.TiffFile) -> int:
    series = _held_series(file, tiff)
    others = sum(map(_is_own, tiff.pages)) - len(series)
    refuse_several(file, others, series.shape)
    _check_pages(file, tiff)
    return _length(series)


def read_page(file: Path, page: int) -> tuple[NDArray[np.generic], str]:
    """Values of a page, and the axes of the image or stack that it is from.

    Raises
    ------
    InputError
        If the file is damaged or has no such page.
    """
    for seen in _BY_PAGES, _AS_NOTED:  # the first is faster, but knows no stack within one page
        with _opened(file, seen) as tiff:
            series = _held_series(file, tiff)
            if page < _length(series):
                if not _is_stack(series):
                    return series.asarray(), series.axes
                if len(tiff.pages) > 1:
                    return series.asarray(key=page), series.axes
                return np.array(series.asarray(out="memmap")[page]), series.axes
    raise InputError("an image has no such page", where=str(file), found=str(page))


def orientation(file: Path, page: int) -> int:
    """How a page is to be shown, 1 for upright: the tag of EXIF and TIFF."""
    with _opened(file, _BY_PAGES) as tiff:
        tag = tiff.pages[min(page, len(tiff.pages) - 1)].aspage().tags.get(ORIENTATION)
        return UPRIGHT if tag is None else int(tag.value)


@contextmanager
def _opened(file: Path, shaped: bool | None = _AS_NOTED) -> Iterator[tifffile.TiffFile]:
    """Lend a TIFF; refuse it where the library complains of what decides the pixels."""
    complaints = _Complaints()
    log = logging.getLogger("tifffile")
    log.addHandler(complaints)
    try:
        with refusing_damage(file), tifffile.TiffFile(file, is_shaped=shaped) as tiff:
            yield tiff
    finally:
        log.removeHandler(complaints)
    if complaints.heard:
        _refuse_header(str(file), complaints.heard[0])


class _Complaints(logging.Handler):
    """What the library notes about pages and decisive tags, where it reads on with a guess."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message that is not about a picture's title, resolution or the like."""
        message = record.getMessage()
        tag = re.search(r"TiffTag (\d+) ", message)
        if tag is None or int(tag[1]) in _DECISIVE_TAGS:
            self.heard.append(message)


def _check_headers(file: Path) -> None:
    """Walk from header to header; the library also takes pixels for headers, and goes on."""
    size = file.stat().st_size
    with file.open("rb") as stream:

        def number(kind: str) -> int:
            return int(struct.unpack(order + kind, stream.read(struct.calcsize(kind)))[0])

        mark = stream.read(4)
        order = "<" if mark.startswith(b"II") else ">"
        big = b"+" in mark
        count, entry, offset = ("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")
        stream.seek(8 if big else 4)
        seen: set[int] = set()
        while at := number(offset):
            stream.seek(at)
            entries = number(count) * struct.calcsize("=" + entry)
            tags = struct.iter_unpack(order + entry, stream.read(min(entries, size)))
            if at in seen or not {256, 257} <= {tag for tag, *_ in tags}:
                _refuse_header(f"{file}, page {len(seen) + 1}", f"no header at byte {at}")
            seen.add(at)


def _held_series(file: Path, tiff: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """First series of a TIFF, once it is known that the file can hold it."""
    series = tiff.series[0]
    stored = file.stat().st_size
    if not (series.size and plausible_size(stored, series.nbytes)):
        raise InputError(
            "an image announces more pixels than the file can hold, or none",
            where=str(file),
            found=f"shape {series.shape}, {stored} bytes",
            remedy="save it again; its header was edited or damaged",
        )
    return series


def _check_pages(file: Path, tiff: tifffile.TiffFile) -> None:
    """Refuse pages that lack a tag or have another depth, and pixels that do not fit or overlap."""
    form = tiff.tiff
    rooms = [(0, 4 + form.offsetsize)]  # where each header and each part of pixels begins; its size
    first = tiff.pages.first
    for number, page in enumerate(tiff.pages, 1):
        kind = cast("tifffile.TiffPage", page.keyframe)
        if isinstance(page, tifffile.TiffPage):
            header = form.tagnosize + form.tagsize * len(page.tags) + form.offsetsize
            rooms.append((page.offset, header))
            lacking = [f"no tag {tag}" for tag in _NEEDED_TAGS if tag not in page.tags]
            if _is_own(page) and page.bitspersample != first.bitspersample:
                lacking.append(f"{page.bitspersample} bits, not {first.bitspersample}")
            if lacking:
                _refuse_header(f"{file}, page {number}", lacking[0])
        rooms += zip(page.dataoffsets, page.databytecounts, strict=True)
        stored, needed = sum(page.databytecounts), _needed_bytes(kind)
        unfit = stored != needed and not (kind.is_tiled and stored > needed)  # tiles may be filled
        if min(page.databytecounts, default=0) <= 0 or (kind.compression == _NONE and unfit):
            _refuse_header(f"{file}, page {number}", f"{stored} bytes for {needed}")
    rooms.sort()
    for (start, size), (following, _) in pairwise(rooms):
        if start + size > following:
            _refuse_header(str(file), f"two parts in one place, byte {following}")


def _needed_bytes(page: tifffile.TiffPage) -> int:
    """Bytes of the pixels of a page, where each row begins with a byte of its own."""
    row = page.imagewidth * page.samplesperpixel * page.bitspersample
    return int(page.imagedepth * page.imagelength * -(-row // 8))


def _refuse_header(where: str, found: str) -> NoReturn:
    raise InputError(
        "the header of an image is damaged", where=where, found=found[:120], remedy="save it again"
    )


def _is_own(page: tifffile.TiffPage | tifffile.TiffFrame) -> bool:
    """Tell an image from a small copy of one."""
    return isinstance(page, tifffile.TiffFrame) or not page.is_reduced


def _length(series: tifffile.TiffPageSeries) -> int:
    return series.shape[0] if _is_stack(series) else 1


def _is_stack(series: tifffile.TiffPageSeries) -> bool:
    return len(series.shape) == 3 and "S" not in series.axes  # samples are colours
