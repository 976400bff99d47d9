"""Tags of TIFF that decide pixels: without them, or with complaints of them, nothing is read."""

import logging

import numpy as np
import pytest
import tifffile

from electrode_grains.ebsd.tiff import _Complaints, _opened, count_pages, orientation
from electrode_grains.errors import InputError

DECISIVE = (
    *("ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation"),
    *("FillOrder", "StripOffsets", "Orientation", "SamplesPerPixel", "RowsPerStrip"),
    *("StripByteCounts", "PlanarConfiguration", "Predictor", "TileWidth", "TileLength"),
    *("TileOffsets", "TileByteCounts", "ExtraSamples", "SampleFormat", "ImageDepth", "TileDepth"),
)


def heard(message):
    complaints = _Complaints()
    complaints.handle(logging.LogRecord("tifffile", logging.WARNING, "", 0, message, (), None))
    return bool(complaints.heard)


@pytest.mark.parametrize("name", DECISIVE)
def test_complaints_of_tags_that_decide_pixels_are_heard(name):
    assert heard(f"<tifffile.TiffTag {tifffile.TIFF.TAGS[name]} @8> corrupted value")


def test_complaints_of_titles_and_the_like_are_passed_over():
    assert heard("invalid page offset")
    decisive = {tifffile.TIFF.TAGS[name] for name in DECISIVE}
    others = {code for code, _ in tifffile.TIFF.TAGS.items()} - decisive
    near = {code + step for code in decisive for step in (-1, 1)} - decisive
    assert not any(heard(f"TiffTag {code} @8: corrupted value") for code in others | near)


@pytest.mark.parametrize("code", [256, 257, 258, 259, 262])
def test_an_image_without_one_of_the_first_tags_is_refused(tmp_path, code):
    file = tmp_path / "s_1.tif"
    tifffile.imwrite(file, np.arange(12, dtype=np.uint8).reshape(3, 4), metadata=None)
    assert count_pages(file) == 1
    with tifffile.TiffFile(file) as tiff:
        at = tiff.pages[0].tags[code].offset
    content = bytearray(file.read_bytes())
    content[at : at + 2] = (65000).to_bytes(2, "little")  # a private tag in its place
    file.write_bytes(content)
    with pytest.raises(InputError):
        count_pages(file)


def test_the_first_complaint_and_the_last_page_decide(tmp_path):
    file = tmp_path / "s_1.tif"
    with tifffile.TiffWriter(file) as writer:
        for turned in (1, 3):
            writer.write(
                np.zeros((3, 4), np.uint8), contiguous=False, metadata=None,
                extratags=[(274, "H", 1, turned, True)],
            )  # fmt: skip
    assert [orientation(file, page) for page in (0, 1, 2, 9)] == [1, 3, 3, 3]
    complaints = ["invalid page offset 7", "invalid page offset 8"]

    def read():
        with _opened(file):
            for each in complaints:
                logging.getLogger("tifffile").error(each)

    with pytest.raises(InputError, match="damaged") as refusal:
        read()
    assert refusal.value.found == complaints[0]
