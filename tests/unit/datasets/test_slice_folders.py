import numpy as np
import pytest
from kedro.io import DatasetError
from PIL import Image

from electrode_grains.datasets.folders import AnnotationFolderDataset, ScanFolderDataset


def test_an_empty_folder_says_what_to_put_there(tmp_path):
    with pytest.raises(DatasetError) as error:
        ScanFolderDataset(path=str(tmp_path / "ebsd_scans")).load()
    text = str(error.value.__cause__)
    assert str(tmp_path) in text
    assert ".ang" in text
    assert "make run" in text


def test_suffixes_in_capitals_are_found(tmp_path):
    (tmp_path / "S00.ANG").write_text("")
    assert list(ScanFolderDataset(path=str(tmp_path)).load()) == ["S00"]


def test_two_files_of_one_slice_are_refused(tmp_path):
    for name in ("slice_1.png", "slice_1.tif"):
        Image.fromarray(np.ones((2, 2), np.uint8)).save(tmp_path / name)
    with pytest.raises(DatasetError, match=r"slice_1\.png and slice_1\.tif"):
        AnnotationFolderDataset(path=str(tmp_path)).load()


def test_annotations_come_back_and_a_shorter_stack_leaves_no_rest(tmp_path):
    dataset = AnnotationFolderDataset(path=str(tmp_path))
    classes = np.array([[0, 1, 2], [3, 2, 1]], np.uint8)
    dataset.save({"slice_001": classes, "slice_002": classes})
    dataset.save({"slice_002": classes[::-1]})
    loaded = dataset.load()

    assert list(loaded) == ["slice_002"]
    np.testing.assert_array_equal(loaded["slice_002"], classes[::-1])


def test_antialiased_edges_are_refused_with_values_and_counts(tmp_path):
    Image.fromarray(np.array([[1, 2, 77], [77, 3, 0]], np.uint8)).save(tmp_path / "slice_3.png")
    with pytest.raises(DatasetError, match=r"77 \(2 points\)"):
        AnnotationFolderDataset(path=str(tmp_path)).load()


def test_a_colour_image_is_refused(tmp_path):
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "slice_3.png")
    with pytest.raises(DatasetError, match="colour mode RGB"):
        AnnotationFolderDataset(path=str(tmp_path)).load()
