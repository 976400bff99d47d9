"""Labels that a person painted: none is ever lost, whatever is imported, and wherever it stops."""

import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from electrode_grains.datasets.folders import AnnotationFolderDataset
from electrode_grains.datasets.label_images import write_classes
from electrode_grains.datasets.labels import update_labels
from electrode_grains.errors import InputError

OLD = np.array([[1, 2, 3], [0, 1, 2]], np.uint8)
NEW = OLD[::-1].copy()


def contents(folder):
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def loaded(folder):
    return AnnotationFolderDataset(path=str(folder)).load()


@pytest.fixture
def folder(tmp_path):
    labels = tmp_path / "labels"
    labels.mkdir()
    write_classes(OLD, labels / "slice_001.tif", ".tif")
    write_classes(OLD, labels / "slice_002.png")
    (labels / "notes.txt").write_text("painted by hand in March")
    return labels


def test_other_labels_of_a_slice_are_replaced_only_on_demand(folder):
    before = contents(folder.parent)
    with pytest.raises(InputError, match=r"slice_001\.tif(.|\n)*--replace"):
        update_labels(folder, {"slice_001": NEW, "slice_003": NEW})
    assert contents(folder.parent) == before


def test_replaced_labels_lie_in_a_dated_folder_byte_for_byte(folder):
    before = contents(folder)
    update = update_labels(folder, {"slice_001": NEW, "slice_003": NEW}, replace=True)
    assert (update.added, update.replaced) == (("slice_003",), ("slice_001",))
    assert contents(update.archive) == {"slice_001.tif": before["slice_001.tif"]}
    after = contents(folder)
    assert sorted(after) == ["notes.txt", "slice_001.tif", "slice_002.png", "slice_003.png"]
    assert all(after[name] == before[name] for name in ("notes.txt", "slice_002.png"))
    np.testing.assert_array_equal(loaded(folder)["slice_001"], NEW)


def test_equal_labels_change_no_byte(folder):
    before = contents(folder.parent)
    update = update_labels(folder, {"slice_001": OLD, "slice_002": OLD})
    assert update.archive is None
    assert contents(folder.parent) == before


def test_equal_copies_of_a_slice_in_two_formats_count_once(folder):
    write_classes(OLD, folder / "slice_001.png")
    assert sorted(loaded(folder)) == ["slice_001", "slice_002"]


def test_different_copies_of_a_slice_are_named_and_block_no_other_slice(folder):
    write_classes(NEW, folder / "slice_001.png")
    with pytest.raises(Exception, match=r"slice_001\.png and slice_001\.tif(.|\n)*keep the one"):
        loaded(folder)
    assert update_labels(folder, {"slice_003": NEW}).added == ("slice_003",)
    update = update_labels(folder, {"slice_001": NEW}, replace=True)
    assert sorted(contents(update.archive)) == ["slice_001.png", "slice_001.tif"]
    assert (loaded(folder)["slice_001"] == NEW).all()


def test_labels_that_cannot_be_read_are_kept_too(folder):
    (folder / "slice_002.png").write_bytes(b"cut short")
    update = update_labels(folder, {"slice_002": NEW}, replace=True)
    assert contents(update.archive) == {"slice_002.png": b"cut short"}
    assert (loaded(folder)["slice_002"] == NEW).all()


@given(
    there=st.dictionaries(
        st.integers(0, 5),
        st.tuples(st.integers(0, 2), st.sampled_from([".png", ".tif", ".tiff", ".PNG"])),
    ),
    imported=st.dictionaries(st.integers(0, 5), st.integers(0, 2)),
)
def test_no_labels_are_lost_whatever_is_imported(there, imported, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any") / "labels"
    folder.mkdir()
    drawn = [np.roll(OLD, shift) for shift in range(3)]
    for number, (kind, suffix) in there.items():
        write_classes(drawn[kind], folder / f"layer {number}{suffix}", suffix)
    before = set(contents(folder).values())
    update_labels(folder, {f"s_{n}": drawn[kind] for n, kind in imported.items()}, replace=True)
    assert before <= set(contents(folder.parent).values())
    after = {int(name[-1]): classes for name, classes in loaded(folder).items()} if (
        there or imported
    ) else {}  # fmt: skip
    expected = {number: kind for number, (kind, _) in there.items()} | imported
    assert after.keys() == expected.keys()
    for number, kind in expected.items():
        np.testing.assert_array_equal(after[number], drawn[kind])


KILLED = """
import os, signal, sys
import numpy as np
from pathlib import Path
from electrode_grains.datasets import labels

folder, moment = Path(sys.argv[1]), int(sys.argv[2])
calls = 0

def counted(function):
    def call(*given, **options):
        global calls
        calls += 1
        if calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*given, **options)
    return call

os.replace, os.fsync, os.mkdir, os.unlink = map(
    counted, (os.replace, os.fsync, os.mkdir, os.unlink)
)
new = np.array([[0, 1, 2], [1, 2, 3]], np.uint8)
labels.update_labels(folder, {f"slice_{n:03d}": new for n in range(4)}, replace=True)
print(calls)
"""


def test_a_kill_at_any_change_leaves_every_slice_with_old_labels_or_new(folder, tmp_path):
    write_classes(OLD, folder / "slice_001.png")  # a copy of the TIFF
    before = contents(folder)
    whole = shutil.copytree(folder.parent, tmp_path / "whole")
    arguments = [sys.executable, "-c", KILLED]
    done = subprocess.run(
        [*arguments, whole / "labels", "0"], capture_output=True, text=True, check=True
    )
    changes = int(done.stdout)
    for moment in sorted({1, 2, 3, changes // 2, changes - 2, changes - 1, changes}):
        copy = shutil.copytree(folder.parent, tmp_path / f"killed_{moment}")
        killed = subprocess.run([*arguments, copy / "labels", str(moment)], check=False)
        assert killed.returncode == -signal.SIGKILL
        assert set(before.values()) <= set(contents(copy).values())
        update_labels(copy / "labels", {f"slice_{n:03d}": NEW for n in range(4)}, replace=True)
        assert all((classes == NEW).all() for classes in loaded(copy / "labels").values())
        assert len(loaded(copy / "labels")) == 4


def test_an_image_that_a_tag_turns_is_refused(tmp_path):
    image = Image.fromarray(np.ones((4, 4), np.uint8))
    tags = image.getexif()
    tags[0x0112] = 6  # a quarter turn
    image.save(tmp_path / "slice_1.png", exif=tags)
    with pytest.raises(Exception, match="orientation 6"):
        loaded(tmp_path)


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "BMP"])
def test_an_image_of_another_format_under_the_name_of_a_png_is_refused(tmp_path, kind):
    Image.fromarray(np.ones((8, 8), np.uint8)).save(tmp_path / "slice_1.png", format=kind)
    with pytest.raises(Exception, match=rf"found: +{kind}"):
        loaded(tmp_path)


def test_a_png_under_the_name_of_a_tiff_is_read(tmp_path):
    Image.fromarray(OLD).save(tmp_path / "slice_1.tif", format="PNG")
    np.testing.assert_array_equal(loaded(tmp_path)["slice_1"], OLD)


def test_a_disk_that_takes_no_archive_changes_no_label(folder):
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    before = contents(folder)
    folder.parent.chmod(0o555)
    try:
        with pytest.raises(OSError):
            update_labels(folder, {"slice_001": NEW}, replace=True)
    finally:
        folder.parent.chmod(0o755)
    assert contents(folder) == before
