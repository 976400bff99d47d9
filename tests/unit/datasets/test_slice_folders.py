import numpy as np
import pytest
import tifffile
from kedro.io import DatasetError
from PIL import Image

from electrode_grains.datasets.folders import AnnotationFolderDataset, ScanFolderDataset
from electrode_grains.datasets.label_images import write_classes
from electrode_grains.ebsd import ReadingOptions, stack_scans
from electrode_grains.errors import InputError
from electrode_grains.runs import Manifest, Recipe, file_digests
from electrode_grains.runs.manifest import FOLDER

CLASSES = np.array([[0, 1, 2], [3, 2, 1]], np.uint8)


def test_an_empty_folder_says_what_to_put_there(tmp_path):
    with pytest.raises(DatasetError) as error:
        ScanFolderDataset(path=str(tmp_path / "ebsd_scans")).load()
    text = str(error.value.__cause__)
    assert str(tmp_path) in text
    assert ".ang" in text
    assert "electrode-grains demo DIR" in text


def test_suffixes_in_capitals_are_found(tmp_path):
    (tmp_path / "S00.ANG").write_text("")
    assert list(ScanFolderDataset(path=str(tmp_path)).load()) == ["S00"]


def record(folder):
    """Write the manifest that a run leaves."""
    files = file_digests(file for file in folder.iterdir() if file.is_file())
    Manifest("any", files, Recipe("step", "", {}, {}, {})).write(folder / FOLDER / "any.json")


def test_slices_that_no_run_wrote_are_neither_replaced_nor_deleted(tmp_path):
    dataset = AnnotationFolderDataset(path=str(tmp_path / "labels"))
    (tmp_path / "labels").mkdir()
    write_classes(CLASSES, tmp_path / "labels" / "slice_001.png")
    dataset.save({"slice_001": CLASSES, "slice_002": CLASSES})  # equal: nothing is lost
    for lost in ({"slice_001": CLASSES[::-1], "slice_002": CLASSES}, {"slice_002": CLASSES}):
        with pytest.raises(DatasetError, match=r"no run of this project wrote(.|\n)*slice_001"):
            dataset.save(lost)
    assert [file.name for file in tmp_path.iterdir()] == ["labels"]
    np.testing.assert_array_equal(dataset.load()["slice_001"], CLASSES)


def test_a_slice_that_was_changed_after_its_run_is_not_replaced(tmp_path):
    dataset = AnnotationFolderDataset(path=str(tmp_path / "labels"))
    dataset.save({"slice_001": CLASSES, "slice_002": CLASSES})
    record(tmp_path / "labels")
    write_classes(np.rot90(CLASSES, 2), tmp_path / "labels" / "slice_002.png")
    with pytest.raises(DatasetError, match="slice_002"):
        dataset.save({"slice_001": CLASSES[::-1]})


def test_annotations_come_back_and_a_shorter_stack_leaves_no_rest_but_notes(tmp_path):
    dataset = AnnotationFolderDataset(path=str(tmp_path))
    dataset.save({"slice_001": CLASSES, "slice_002": CLASSES})
    record(tmp_path)
    (tmp_path / "notes.txt").write_text("by a person")
    dataset.save({"slice_002": CLASSES[::-1]})

    assert sorted(file.name for file in tmp_path.iterdir()) == [
        FOLDER, "notes.txt", "slice_002.png",
    ]  # fmt: skip
    np.testing.assert_array_equal(dataset.load()["slice_002"], CLASSES[::-1])


def test_antialiased_edges_are_refused_with_values_and_counts(tmp_path):
    Image.fromarray(np.array([[1, 2, 77], [77, 3, 0]], np.uint8)).save(tmp_path / "slice_3.png")
    with pytest.raises(DatasetError, match=r"77 \(2 points\)"):
        AnnotationFolderDataset(path=str(tmp_path)).load()


def test_a_colour_image_is_refused(tmp_path):
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "slice_3.png")
    with pytest.raises(DatasetError, match="colour mode RGB"):
        AnnotationFolderDataset(path=str(tmp_path)).load()


def test_an_annotation_of_several_images_is_refused(tmp_path):
    layers = [Image.fromarray(np.full((2, 2), value, np.uint8)) for value in (1, 2, 3)]
    layers[0].save(tmp_path / "slice_3.tif", save_all=True, append_images=layers[1:])
    with pytest.raises(DatasetError, match=r"several images(.|\n)*2 more"):
        AnnotationFolderDataset(path=str(tmp_path)).load()


def made(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"")


def test_images_beside_scans_are_passed_over_and_named(tmp_path, caplog):
    made(tmp_path, "slice_1.ang", "slice_2.ang", "overview.png", "notes.txt")
    with caplog.at_level("INFO"):
        readers = ScanFolderDataset(path=str(tmp_path)).load()
    assert list(readers) == ["slice_1", "slice_2"]
    assert "2 files beside the scans are no scans: notes.txt, overview.png" in caplog.text


def test_a_folder_of_images_alone_is_a_stack_of_images(tmp_path):
    for z in range(3):
        Image.fromarray(np.full((2, 3), z, np.uint8)).save(tmp_path / f"slice_{z}.png")
    readers = ScanFolderDataset(path=str(tmp_path)).load()
    scan = readers["slice_2"](ReadingOptions(step_nm=40.0))
    assert scan["image_quality"].to_numpy().tolist() == [[2, 2, 2], [2, 2, 2]]


def test_ebsd_files_of_two_kinds_are_refused(tmp_path):
    made(tmp_path, "slice_1.ang", "slice_2.ctf", "slice_3.ctf")
    with pytest.raises(DatasetError, match=r"several kinds(.|\n)*1 \.ang, 2 \.ctf"):
        ScanFolderDataset(path=str(tmp_path)).load()


def test_a_file_that_cannot_be_read_is_refused_with_all_other_problems_of_the_stack(tmp_path):
    (tmp_path / "slice_1.ang").write_text("no header")
    (tmp_path / "slice_3.ang").write_bytes(b"")
    readers = ScanFolderDataset(path=str(tmp_path)).load()
    with pytest.raises(InputError, match="3 problems in a stack of 2 slices") as told:
        stack_scans(readers, 50.0)
    for words in ("slice_1.ang", "slice_3.ang", "an empty file", "no 2"):
        assert words in str(told.value)


def test_one_file_may_hold_the_whole_stack(tmp_path):
    pages = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    tifffile.imwrite(tmp_path / "particle.tif", pages, photometric="minisblack")
    dataset = ScanFolderDataset(path=str(tmp_path / "particle.tif"))
    assert dataset.exists()
    stack = stack_scans(dataset.load(), 50.0, options=ReadingOptions(step_nm=50.0))
    np.testing.assert_array_equal(stack["image_quality"], pages)
