import random
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from damaged_files import places_of_refusals
from electrode_grains.ebsd import ReadingOptions, read_scan, scan_readers, stack_scans, tiff
from electrode_grains.errors import InputError, SettingsError

STEP = ReadingOptions(step_nm=50.0)


def grey(seed=0, dtype=np.uint8, shape=(6, 7)):
    return np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_grey_values_are_the_image_quality(tmp_path, dtype):
    path = tmp_path / "slice_1.tif"
    tifffile.imwrite(path, grey(dtype=dtype))
    scan = read_scan(path, STEP)
    np.testing.assert_array_equal(scan["image_quality"], grey())
    assert scan.attrs["step_nm"] == (50.0, 50.0)
    assert scan["y"].to_numpy().tolist() == [0, 50, 100, 150, 200, 250]
    assert scan["x"].to_numpy().tolist() == [0, 50, 100, 150, 200, 250, 300]
    assert np.isnan(scan["euler_angles"]).all()
    assert np.isnan(scan["confidence_index"]).all()
    assert (scan["phase"] == 0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_images_are_read(tmp_path, dtype):
    Image.fromarray(grey(dtype=dtype)).save(tmp_path / "slice_1.png")
    np.testing.assert_array_equal(
        read_scan(tmp_path / "slice_1.png", STEP)["image_quality"], grey()
    )


def test_the_pages_of_a_tiff_stack_are_slices(tmp_path):
    pages = np.stack([grey(seed) for seed in range(12)])
    tifffile.imwrite(tmp_path / "particle.tif", pages, photometric="minisblack")
    readers = scan_readers(tmp_path / "particle.tif")
    stack = stack_scans(readers, 25.0, options=STEP)
    np.testing.assert_array_equal(stack["image_quality"], pages)
    assert stack.attrs["spacing_nm"] == (25.0, 50.0, 50.0)
    with pytest.raises(InputError, match="several scans"):
        read_scan(tmp_path / "particle.tif", STEP)
    np.testing.assert_array_equal(
        read_scan(tmp_path / "particle.tif", STEP, "particle_0003")["image_quality"], pages[3]
    )


def write_one_by_one(path, pages):
    with tifffile.TiffWriter(path) as tiff:
        for page in pages:
            tiff.write(page)


def write_by_pillow(path, pages):
    first, *rest = map(Image.fromarray, pages)
    first.save(path, save_all=True, append_images=rest)


@pytest.mark.parametrize("write", [write_one_by_one, write_by_pillow])
def test_pages_that_were_written_one_by_one_are_a_stack(tmp_path, write):
    pages = [grey(seed) for seed in range(4)]
    write(tmp_path / "particle.tif", pages)
    stack = stack_scans(scan_readers(tmp_path / "particle.tif"), 25.0, options=STEP)
    np.testing.assert_array_equal(stack["image_quality"], pages)


@pytest.mark.parametrize("write", [write_one_by_one, write_by_pillow])
@pytest.mark.parametrize("sizes", [[7, 7, 5], [7, 5], [7, 5, 7, 5]])
def test_pages_of_several_sizes_are_refused(tmp_path, write, sizes):
    path = tmp_path / "slice_1.tif"
    write(path, [grey(shape=(6, size)) for size in sizes])
    with pytest.raises(InputError, match=r"several images(.|\n)*slice_1\.tif(.|\n)*\d more"):
        scan_readers(path)


def test_a_small_copy_beside_an_image_is_no_other_image(tmp_path):
    with tifffile.TiffWriter(tmp_path / "slice_1.tif") as tiff:
        tiff.write(grey(), metadata=None)
        tiff.write(grey()[::2, ::2], subfiletype=1, metadata=None)
    np.testing.assert_array_equal(
        read_scan(tmp_path / "slice_1.tif", STEP)["image_quality"], grey()
    )


def test_moving_pictures_are_refused(tmp_path):
    write_by_pillow(tmp_path / "slice_1.png", [grey(seed) for seed in range(3)])
    with pytest.raises(InputError, match=r"several images(.|\n)*2 more"):
        read_scan(tmp_path / "slice_1.png", STEP)


def test_an_image_without_a_step_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "slice_1.tif", grey())
    with pytest.raises(SettingsError, match="step_nm = None"):
        read_scan(tmp_path / "slice_1.tif")


def test_colours_are_refused(tmp_path):
    Image.fromarray(grey(shape=(6, 7, 3))).save(tmp_path / "slice_1.png")
    tifffile.imwrite(tmp_path / "slice_2.tif", grey(shape=(6, 7, 3)), photometric="rgb")
    with pytest.raises(InputError, match="colour mode RGB"):
        read_scan(tmp_path / "slice_1.png", STEP)
    with pytest.raises(InputError, match="axes YXS"):
        read_scan(tmp_path / "slice_2.tif", STEP)
    planes = {"photometric": "rgb", "planarconfig": "separate"}
    tifffile.imwrite(tmp_path / "slice_3.tif", grey(shape=(3, 6, 7)), **planes)
    with pytest.raises(InputError, match="axes SYX"):
        read_scan(tmp_path / "slice_3.tif", STEP)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_cut_images_are_refused(tmp_path, suffix):
    path = tmp_path / f"slice_1.{suffix}"
    values = grey(shape=(60, 70))
    if suffix == "png":
        Image.fromarray(values).save(path)
    else:
        tifffile.imwrite(path, values)
    whole = path.read_bytes()
    for size in (20, 100, len(whole) // 2, len(whole) - 200):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError):
            read_scan(path, STEP)


def test_a_constant_image_is_told(tmp_path):
    tifffile.imwrite(tmp_path / "slice_1.tif", np.full((6, 7), 9, np.uint8))
    with pytest.warns(UserWarning, match=r"constant \(9\)"):
        read_scan(tmp_path / "slice_1.tif", STEP)


def test_missing_and_negative_values_are_masked_in_small_shares_only(tmp_path):
    values = grey(dtype=np.float32, shape=(20, 20))
    values[0, 0], values[0, 1] = np.nan, -1
    tifffile.imwrite(tmp_path / "slice_1.tif", values)
    with pytest.warns(UserWarning, match="2 points have no usable image quality"):
        scan = read_scan(tmp_path / "slice_1.tif", STEP)
    assert np.isnan(scan["image_quality"]).sum() == 2
    values[:5] = np.nan
    tifffile.imwrite(tmp_path / "slice_1.tif", values)
    with pytest.raises(InputError, match=r"25\.0%"):
        read_scan(tmp_path / "slice_1.tif", STEP)


def test_pixels_against_their_checksum_are_refused(tmp_path):
    """Decoding alone would return the pixels before the damage, and other ones after it."""
    path = tmp_path / "slice_1.png"
    Image.fromarray(grey(shape=(60, 70))).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match="bad header checksum in b'IDAT'"):
        read_scan(path, STEP)


def test_more_pixels_than_the_file_can_hold_are_refused_before_they_are_allocated(tmp_path):
    path = tmp_path / "slice_1.tif"
    tifffile.imwrite(path, grey(), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            tiff.pages[0].tags[tag].overwrite(2**31)
    with pytest.raises(InputError, match="more pixels than the file can hold") as refusal:
        scan_readers(path)
    assert "2147483648, 2147483648" in refusal.value.found


def write_image(kind, path):
    if kind == "png":
        Image.fromarray(grey(shape=(40, 50))).save(path)
    else:
        shape = (3, 40, 50) if kind == "stack" else (40, 50)
        packed = {"compression": "zlib"} if kind == "packed" else {}
        tifffile.imwrite(path, grey(shape=shape), photometric="minisblack", **packed)


def change_bytes(sound, chance):
    """Flip bits, change bytes, or write great numbers, most of them into the header."""
    content = bytearray(sound)
    for _ in range(chance.randrange(1, 4)):
        kind = chance.randrange(3)
        at = chance.randrange(len(content) - 8 if chance.random() < 0.2 else 300)
        if kind == 0:
            content[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            content[at] = chance.randrange(256)
        else:
            number = chance.choice([0, 1, 2**31, 2**32 - 1, 65535, chance.randrange(len(content))])
            content[at : at + 4] = struct.pack("<I", number)
    return bytes(content)


@pytest.mark.parametrize("count", [100, pytest.param(5_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["png", "plain", "packed", "stack"])
def test_an_image_of_other_bytes_is_read_as_it_stands_or_refused(tmp_path, kind, count):
    """Pixels of PNG and packed TIFF carry checksums: they are the true ones, others as stored."""
    path = tmp_path / ("slice_1.png" if kind == "png" else "slice_1.tif")
    write_image(kind, path)
    sound = path.read_bytes()
    true = grey(shape=(3, 40, 50) if kind == "stack" else (1, 40, 50))

    def read(path):
        content, pixels = path.read_bytes(), true
        if kind in ("plain", "stack"):
            pixels = np.frombuffer(content, np.uint8, true.size, offset=256).reshape(true.shape)
        scans = [reader(STEP)["image_quality"] for reader in scan_readers(path).values()]
        if kind == "stack" and content[178:182] == bytes(4):  # no further page is announced, but
            pixels = pixels[: len(scans)]  # the title may still tell how many follow
        np.testing.assert_array_equal(np.stack(scans), pixels)

    damaged = ((path, change_bytes(sound, random.Random(seed))) for seed in range(count))
    places = places_of_refusals(damaged, read)
    assert count / 5 < len(places) < count * (0.9 if kind != "png" else 1)
    assert [place for place in places if path.name not in place] == []


SOUND = {
    "ImageJ": {"imagej": True},
    "ImageJ, large": {"imagej": True, "byteorder": ">"},
    "ImageJ, one header": {"imagej": True, "truncate": True},
    "one header": {"truncate": True},
    "tiles": {"tile": (16, 16)},
    "strips": {"rowsperstrip": 7},
    "packed strips": {"rowsperstrip": 7, "compression": "zlib"},
    "packed tiles": {"tile": (16, 16), "compression": "zlib"},
    "a stack in one page": {"volumetric": True},
    "BigTIFF": {"bigtiff": True, "metadata": None},
    "OME": {"ome": True},
    "with resolution": {"resolution": (2e5, 2e5), "resolutionunit": 3, "description": "grey"},
}


@pytest.mark.parametrize("how", SOUND)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_sound_stacks_of_any_writer_are_read(tmp_path, how, dtype):
    path = tmp_path / "particle.tif"
    pages = grey(dtype=dtype, shape=(3, 40, 50))
    tifffile.imwrite(path, pages, photometric="minisblack", **SOUND[how])
    scans = [reader(STEP)["image_quality"] for reader in scan_readers(path).values()]
    np.testing.assert_array_equal(np.stack(scans), pages)


def test_an_image_packed_in_another_way_is_refused_with_a_way_out(tmp_path):
    Image.fromarray(grey()).save(tmp_path / "slice_1.tif", compression="tiff_lzw")
    with pytest.raises(InputError, match=r"LZW(.|\n)*without compression, or as PNG"):
        read_scan(tmp_path / "slice_1.tif", STEP)


def overwrite(path, tag, value, page=0):
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[page].tags[tag].overwrite(value)


# Damage to the headers of a stack of three pages, and what the refusal says.
HEADERS = [
    (lambda p: overwrite(p, "StripByteCounts", 1999), "1999 bytes for 2000"),
    (lambda p: overwrite(p, "StripByteCounts", 2001, page=2), "page 3(.|\n)*2001 bytes for 2000"),
    (lambda p: overwrite(p, "BitsPerSample", 16), "2000 bytes for 4000"),
    (lambda p: overwrite(p, "BitsPerSample", 7, page=1), "page 2(.|\n)*7 bits, not 8"),
    (lambda p: overwrite(p, "StripOffsets", 170), "two parts in one place"),
    (lambda p: overwrite(p, "StripOffsets", 1), "two parts in one place"),
    (lambda p: overwrite(p, "StripOffsets", 2300, page=1), "two parts in one place"),
    (lambda p: overwrite(p, "ImageWidth", 60), "StripByteCounts|does not match|bytes for"),
]


@pytest.mark.parametrize(("damage", "says"), HEADERS)
def test_a_header_that_does_not_fit_its_pixels_is_refused(tmp_path, damage, says):
    path = tmp_path / "particle.tif"
    write_image("stack", path)
    damage(path)
    with pytest.raises(InputError, match=f"header of an image(.|\n)*({says})"):
        scan_readers(path)


TAGGED = {
    "strips": {"extratags": [(266, 3, 1, 1), (274, 3, 1, 1)]},
    "tiles": {"tile": (16, 16)},
    "packed": {"compression": "zlib", "predictor": 2},
    "numbers": {"photometric": "minisblack", "planarconfig": "separate", "extrasamples": [0, 0]},
}
DECIDE_NOTHING = {270, 282, 283, 296, 305}  # title, resolution and its unit, program


@pytest.mark.parametrize("how", TAGGED)
def test_a_lost_tag_is_passed_over_where_it_decides_no_pixel_and_refused_elsewhere(tmp_path, how):
    """The type of each tag of the header in turn is one that does not exist."""
    path = tmp_path / "slice_1.tif"
    pixels = grey(shape=(3, 32, 48) if how == "numbers" else (32, 48))
    tifffile.imwrite(path, pixels, **{"photometric": "minisblack", **TAGGED[how]})
    sound = path.read_bytes()
    (count,) = struct.unpack_from("<H", sound, 8)
    passed = set()
    for entry in range(10, 10 + 12 * count, 12):
        content = bytearray(sound)
        struct.pack_into("<H", content, entry + 2, 0)
        path.write_bytes(content)
        try:
            read = tiff.read_page(path, 0)[0] if tiff.count_pages(path) else None
        except InputError:
            continue
        else:
            passed.add(struct.unpack_from("<H", sound, entry)[0])
            np.testing.assert_array_equal(read, pixels)
    assert passed == DECIDE_NOTHING


@pytest.mark.parametrize(
    "at",
    [300, 2**20, 8, 4],  # among pixels, beyond the end, itself, no header
)
def test_a_chain_of_pages_that_leads_nowhere_is_refused_at_once(tmp_path, at):
    """The library would take pixels for headers, and follow them for minutes."""
    path = tmp_path / "particle.tif"
    write_image("stack", path)
    content = bytearray(path.read_bytes())
    assert struct.unpack_from("<I", content, 178)[0] > 6000  # where the first header names the next
    struct.pack_into("<I", content, 178, at)
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"page 2\n.*no header at byte {at}|cannot be read"):
        scan_readers(path)


@pytest.mark.parametrize("step", [0.0, -50.0, float("nan"), float("inf")])
def test_an_impossible_step_is_refused(tmp_path, step):
    tifffile.imwrite(tmp_path / "slice_1.tif", grey())
    with pytest.raises(SettingsError, match=f"step_nm = {step}"):
        read_scan(tmp_path / "slice_1.tif", ReadingOptions(step_nm=step))


def test_a_tiff_of_one_page_and_big_ones_are_called_like_their_file(tmp_path):
    tifffile.imwrite(tmp_path / "slice_1.tif", grey(), bigtiff=True)
    tifffile.imwrite(tmp_path / "slice_2.tiff", grey(), byteorder=">")
    tifffile.imwrite(tmp_path / "slice_3.TIF", grey(), bigtiff=True, byteorder=">")
    for path in sorted(tmp_path.iterdir()):
        (name,) = scan_readers(path)
        assert name == path.stem
        np.testing.assert_array_equal(read_scan(path, STEP)["image_quality"], grey())


@pytest.mark.parametrize("kind", ["png", "tif", "stack"])
def test_an_image_that_is_to_be_shown_turned_is_read_as_stored_and_told(tmp_path, kind):
    values = np.arange(600, dtype=np.uint8).reshape(20, 30)
    file = tmp_path / f"slice_1.{'png' if kind == 'png' else 'tif'}"
    if kind == "stack":
        tag = (274, "H", 1, 6, True)
        tifffile.imwrite(file, np.stack([values] * 2), extratags=[tag], photometric="minisblack")
    else:
        image = Image.fromarray(values)
        tags = image.getexif()
        tags[274] = 6
        image.save(file, **({"exif": tags} if kind == "png" else {"tiffinfo": {274: 6}}))
    read = next(iter(scan_readers(file).values()))(STEP)
    assert (read["image_quality"].to_numpy() == values).all()
    assert "turned or mirrored (orientation 6)" in read.attrs["notes"][0]


@pytest.mark.parametrize(("suffix", "kind"), [("png", "TIFF"), ("tif", "PNG"), ("tiff", "PNG")])
def test_a_misnamed_image_is_read_by_its_content(tmp_path, suffix, kind):
    values = np.arange(600, dtype=np.uint8).reshape(20, 30)
    Image.fromarray(values).save(tmp_path / f"slice_1.{suffix}", format=kind)
    (read,) = scan_readers(tmp_path / f"slice_1.{suffix}").values()
    quality = read(STEP)["image_quality"].to_numpy()
    assert (quality == values).all()
