import numpy as np
import pytest
from scipy import ndimage

from electrode_grains.errors import SettingsError
from electrode_grains.morphometry import characterize_grains
from electrode_grains.tessellation import ArchitectureModel, fill_domain, voxel_points

SPACING = (60.0, 50.0, 50.0)
SMOOTH = ArchitectureModel(roughness_nm=0.1, relaxation=5)


def grown(model, seed=0, shape=(36, 44, 44)):
    return fill_domain(model, np.ones(shape, bool), SPACING, np.random.default_rng(seed))


def test_a_domain_is_filled_with_connected_grains_of_its_volume():
    points = voxel_points((40, 48, 48), SPACING)
    domain = (np.linalg.norm(points - points[-1] / 2, axis=1) < 1150).reshape(40, 48, 48)
    model = ArchitectureModel(relaxation=3)
    labels = fill_domain(model, domain, SPACING, np.random.default_rng(1))
    assert ((labels > 0) == domain).all()
    assert labels.max() == pytest.approx(domain.sum() * 150000 / model.mean_volume_nm3, abs=1)
    parts = [ndimage.label(labels == grain)[1] for grain in range(1, labels.max() + 1)]
    assert set(parts) == {1}


def test_one_seed_makes_one_architecture():
    assert (grown(SMOOTH) == grown(SMOOTH)).all()
    assert (grown(SMOOTH) != grown(SMOOTH, seed=1)).any()


def test_parameters_do_what_their_names_say():
    def medians(model):
        table = characterize_grains(grown(model, shape=(44, 60, 60)), SPACING)
        return table[["convexity", "elongation", "sphericity"]].median()

    smooth = medians(SMOOTH)
    assert smooth["convexity"] > 0.97
    assert medians(SMOOTH.replace(roughness_nm=40.0))["convexity"] < smooth["convexity"] - 0.05
    assert medians(SMOOTH.replace(elongation=0.5))["elongation"] < smooth["elongation"] - 0.1


def test_curvature_turns_the_correlation_of_size_and_shape():
    def correlation(curvature):
        labels = grown(SMOOTH.replace(curvature=curvature), 2, (50, 64, 64))
        return characterize_grains(labels, SPACING)[["equivalent_diameter_nm", "sphericity"]]

    planes, bulges = (correlation(value).corr().iloc[0, 1] for value in (0.0, 1.0))
    assert bulges < planes - 0.3


def test_no_room_is_refused():
    with pytest.raises(SettingsError, match="no room for two grains"):
        fill_domain(SMOOTH, np.ones((4, 4, 4), bool), SPACING, np.random.default_rng(0))


def test_a_model_goes_to_a_file_and_back():
    assert ArchitectureModel.from_dict(SMOOTH.to_dict()) == SMOOTH
