import numpy as np
import pytest

from electrode_grains.ebsd import place_annotations
from electrode_grains.problems import InputProblem

DRAWN = np.array([[1, 2], [3, 0]], np.uint8)


@pytest.mark.parametrize(
    ("annotations", "says"),
    [
        ({"slice_9": DRAWN}, "number 9"),
        ({"slice_2": DRAWN[:1]}, r"\(1, 2\) points"),
        ({"slice_2": DRAWN * 0 + 2}, "no grain boundary"),
    ],
)
def test_an_annotation_that_fits_no_scan_is_refused(annotations, says):
    with pytest.raises(InputProblem, match=says):
        place_annotations(annotations, ["slice_1", "slice_2"], (2, 2, 2))
