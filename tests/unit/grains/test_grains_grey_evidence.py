import numpy as np
import pytest

from electrode_grains.errors import InputError
from electrode_grains.grains import SegmentationSettings
from electrode_grains.grains.grey_evidence import (
    EvidenceComparison,
    GreyBoundaries,
    boundaries_brighter,
    choose_evidence,
    compare_evidence,
    grey_landscape,
)
from electrode_grains.phantom.annotation import annotate

SLICES = [1, 4, 7]
SETTINGS = SegmentationSettings(merge_mode="iq", minimum_voxels=5)


@pytest.fixture
def cells():
    """Annotation of 16 grains in three slices, and where boundaries are in all nine."""
    rng = np.random.default_rng(4)
    section = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((9, 9), np.int32)).astype(np.int32)
    classes = np.repeat(annotate(section, 0.0, rng)[None], 9, axis=0)
    annotation = np.zeros_like(classes)
    annotation[SLICES] = classes[SLICES]
    return annotation, (classes == 1).astype(float), rng


@pytest.fixture
def blind(cells):
    """A network that sees no background and nothing else."""
    drawn = cells[1]
    return np.stack([np.full(drawn.shape, 0.5), np.full(drawn.shape, 0.5), np.zeros(drawn.shape)])


@pytest.mark.parametrize("bright", [True, False])
def test_grey_values_win_where_only_they_show_grains(cells, blind, bright):
    annotation, drawn, rng = cells
    image = (drawn if bright else -drawn) + rng.normal(0, 0.05, drawn.shape)

    found = compare_evidence(2.0, blind, image, annotation, settings=SETTINGS)

    assert found.grey < 0.05
    assert found.network == 2.0
    assert found.prefers_grey
    assert found.best.bright is bright
    assert boundaries_brighter(image, annotation) is bright
    assert f"({found.grey:.3f} against 2.000 bits" in found.warnings()[0]
    assert choose_evidence("auto", found) == found.best
    assert choose_evidence("network", found) is None


def test_the_network_stays_where_it_is_as_good(cells, blind):
    annotation, drawn, rng = cells
    image = drawn + rng.normal(0, 0.05, drawn.shape)

    found = compare_evidence(0.01, blind, image, annotation, settings=SETTINGS)

    assert not found.prefers_grey
    assert found.warnings() == []
    assert choose_evidence("auto", found) is None
    assert choose_evidence("grey", found) == found.best


def test_grey_values_without_boundaries_do_not_win(cells, blind):
    annotation, drawn, rng = cells
    noise = rng.normal(size=drawn.shape)

    found = compare_evidence(0.5, blind, noise, annotation, settings=SETTINGS)

    assert found.grey > 0.5
    assert choose_evidence("auto", found) is None


def test_a_lead_within_chance_decides_nothing():
    values = {"best": GreyBoundaries(bright=False, width=0.7), "depth": 0.1}

    assert EvidenceComparison(network=0.4, grey=0.1, **values).prefers_grey
    assert not EvidenceComparison(network=0.14, grey=0.1, **values).prefers_grey


def test_nothing_is_compared_where_no_grain_is_left(cells, blind):
    annotation, drawn, _ = cells
    background = np.zeros_like(blind)
    background[2] = 1

    assert compare_evidence(9.0, background, drawn, annotation, settings=SETTINGS) is None


def test_nothing_is_compared_without_annotated_interiors(cells, blind):
    annotation, drawn, _ = cells
    nothing = np.zeros_like(annotation)

    assert compare_evidence(0.3, blind, drawn, nothing, settings=SETTINGS) is None
    assert choose_evidence("auto", None) is None


def test_probabilities_with_grey_boundaries_add_up_to_one(cells):
    _, drawn, rng = cells
    probability = rng.dirichlet([1, 1, 1], drawn.shape).transpose(3, 0, 1, 2).astype(np.float32)
    image = drawn.copy()
    image[0, 0, 0] = np.nan
    grey = GreyBoundaries(bright=True, width=1.0)

    found = grey.class_probability(probability, image)

    assert found.sum(axis=0) == pytest.approx(1, abs=1e-6)
    assert found.min() >= 0
    assert np.array_equal(found[2], probability[2])
    assert found[0, 0, 0, 0] == pytest.approx(1 - probability[2, 0, 0, 0])


def test_the_kernel_is_as_wide_in_nm_across_slices():
    """Slices 50 nm apart of 4 nm pixels are not mixed by a kernel of one pixel."""
    image = np.zeros((5, 9, 9))
    image[2] = 1
    nothing = np.zeros((3, *image.shape), np.float32)
    grey = GreyBoundaries(bright=True, width=1.0)

    far = grey.class_probability(nothing, image, spacing=(50.0, 4.0, 4.0))
    near = grey.class_probability(nothing, image, spacing=(4.0, 4.0, 4.0))

    assert np.array_equal(far[0], image.astype(np.float32))
    assert 0.1 < near[0, 1, 4, 4] < 0.5


def test_an_image_without_a_measurement_is_refused():
    with pytest.raises(InputError, match="no voxel has a grey value"):
        grey_landscape(np.full((2, 2, 2), np.nan), bright=True)
