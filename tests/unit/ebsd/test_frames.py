"""Frames of makers: every number that follows must be the same through each of them."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from electrode_grains.ebsd import (
    FRAME_PRESETS,
    FrameChoice,
    FrameRotations,
    OrientationField,
    ReadingOptions,
    read_scan,
    stack_scans,
    write_scan,
)
from electrode_grains.ebsd.frames import (
    MAKER_FRAMES,
    frame_rotation,
    from_map_frame,
    half_turn,
    to_map_frame,
)
from electrode_grains.ebsd.orientations import (
    euler_from_quaternions,
    misorientation_angle,
    multiply,
    quaternions_from_euler,
    random_orientations,
)
from electrode_grains.errors import SettingsError

NMC = {
    "id": 1,
    "material_name": "NMC",
    "formula": "",
    "symmetry": "32",
    "lattice_constants": "2.87 2.87 14.26 90 90 120",
}
# The matrices of the half turns, written down from their axes: 2 n n^T - 1.
MATRICES = {
    "edax_1": [[0, 1, 0], [1, 0, 0], [0, 0, -1]],
    "edax_2": [[0, -1, 0], [-1, 0, 0], [0, 0, -1]],
    "edax_3": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    "edax_4": [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],
    "oxford": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    "same": np.eye(3),
}


def bunge_matrix(euler):
    """Passive matrix of Bunge angles, sample to crystal, as textbooks print it."""
    (c1, s1), (c, s), (c2, s2) = ((np.cos(angle), np.sin(angle)) for angle in euler)
    return np.array(
        [
            [c1 * c2 - s1 * s2 * c, s1 * c2 + c1 * s2 * c, s2 * s],
            [-c1 * s2 - s1 * c2 * c, -s1 * s2 + c1 * c2 * c, c2 * s],
            [s1 * s, -c1 * s, c],
        ]
    )


def scan_of(euler, shape, **attrs):
    count = int(np.prod(shape))
    return xr.Dataset(
        {
            "image_quality": (("y", "x"), np.arange(1.0, count + 1).reshape(shape)),
            "confidence_index": (("y", "x"), np.full(shape, 0.8)),
            "euler_angles": (("y", "x", "angle"), euler.reshape(*shape, 3)),
            "phase": (("y", "x"), np.ones(shape, int)),
        },
        attrs={"step_nm": (50.0, 50.0), "phases": (NMC,), **attrs},
    )


@pytest.mark.parametrize("preset", MATRICES)
def test_crystal_axes_are_turned_by_the_matrix_of_the_preset(preset):
    file_euler = np.array([[0.3, 1.1, 2.0], [5.0, 0.4, 0.1]])
    choice = FrameChoice.of("edax", preset, None)
    ours = to_map_frame(file_euler, choice, np.zeros(2, bool))
    for before, after in zip(file_euler, ours, strict=True):
        # g takes crystal to sample coordinates: the transpose of Bunge's matrix.
        wanted = np.array(MATRICES[preset]) @ bunge_matrix(before).T
        np.testing.assert_allclose(bunge_matrix(after).T, wanted, atol=1e-12)


@pytest.mark.parametrize("preset", FRAME_PRESETS)
def test_radial_axes_are_radial_through_the_file_of_every_preset(tmp_path, preset):
    """520 grains on a sphere, c axes along the radius; the file is written by hand."""
    rng = np.random.default_rng(5)
    radius = rng.standard_normal((520, 3))
    radius /= np.linalg.norm(radius, axis=1, keepdims=True)
    about = [Rotation.align_vectors([[0, 0, 1]], [r])[0] for r in radius]
    to_crystal = np.array(
        [(Rotation.from_euler("z", rng.uniform(0, 6)) * turn).as_matrix() for turn in about]
    )
    # What the microscope writes: g_file = T g_map, T its own inverse.
    turn = np.array(MATRICES["oxford" if preset == "bruker" else preset])
    in_file = Rotation.from_matrix(to_crystal @ turn).as_quat(scalar_first=True)
    scan = scan_of(euler_from_quaternions(in_file), (20, 26))
    write_scan(scan, tmp_path / "slice_1.ang", frames="same")  # the angles as they are

    read = read_scan(tmp_path / "slice_1.ang", ReadingOptions(frames=preset))
    field = OrientationField.from_euler(read["euler_angles"].to_numpy().reshape(-1, 3))
    cosine = np.abs((field.directions([0, 0, 1]) * radius).sum(axis=1))
    assert np.degrees(np.arccos(np.minimum(cosine, 1))).max() < 0.05  # five decimals in the file
    wrong = "same" if preset != "same" else "edax_2"
    other = read_scan(tmp_path / "slice_1.ang", ReadingOptions(frames=wrong))
    field = OrientationField.from_euler(other["euler_angles"].to_numpy().reshape(-1, 3))
    cosine = np.abs((field.directions([0, 0, 1]) * radius).sum(axis=1))
    assert 40 < np.degrees(np.arccos(np.minimum(cosine, 1))).mean() < 57


def test_the_recipe_of_dream3d_is_the_default_of_edax():
    recipe = FrameRotations(euler=(0, 0, 1, 90), sample=(0, 1, 0, 180))
    by_recipe, by_preset = frame_rotation(recipe), frame_rotation("edax_2")
    assert abs(by_recipe @ by_preset) == pytest.approx(1)


@given(st.sampled_from(FRAME_PRESETS), st.booleans(), st.integers(0, 2**31))
def test_writing_undoes_reading(preset, hexagonal, seed):
    euler = euler_from_quaternions(random_orientations(5, np.random.default_rng(seed)))
    choice = FrameChoice(preset, "a*" if hexagonal else "a", "setting")
    back = from_map_frame(to_map_frame(euler, choice, np.ones(5, bool)), choice, np.ones(5, bool))
    first, second = quaternions_from_euler(back), quaternions_from_euler(euler)
    np.testing.assert_allclose(np.abs((first * second).sum(axis=1)), 1, atol=1e-12)


def test_a_turn_of_a_slice_is_seen_the_other_way_round_by_all_settings_but_same():
    turn = np.array([np.cos(0.05), 0, 0, np.sin(0.05)])
    for preset in FRAME_PRESETS:
        axis = frame_rotation(preset)
        seen = multiply(multiply(axis, turn), axis * [1, -1, -1, -1])
        np.testing.assert_allclose(seen[3], turn[3] * (1 if preset == "same" else -1), atol=1e-12)


def test_x_along_a_star_becomes_x_along_a():
    """Of a crystal whose a axis lies along the sample's x: Oxford gives phi2 30 degrees more."""
    choice = FrameChoice("same", "a*", "setting")
    # With x' along a*, the a axis lies at -30 degrees; phi2 turns the crystal axes to it.
    (euler,) = to_map_frame(np.array([[0.0, 0.0, np.radians(30)]]), choice, np.ones(1, bool))
    field = OrientationField.from_euler(euler, laue_group="-1")
    np.testing.assert_allclose(field.directions([1, 0, 0]), [1, 0, 0], atol=1e-12)
    untouched = np.array([[0.1, 0.2, 0.3]])
    assert to_map_frame(untouched, choice, np.zeros(1, bool))[0] == pytest.approx(untouched[0])


def test_twins_about_a_have_their_misorientation_in_files_of_oxford():
    """Two settings of one crystal, half a turn apart about its twofold axis a."""
    angle = np.radians(-30)  # where a lies if x is along a*
    axis = (np.cos(angle), np.sin(angle), 0.0)
    one = random_orientations(1, np.random.default_rng(3))[0]
    in_file = np.array([one, multiply(half_turn(axis), one)])
    choice = FrameChoice.of("oxford", None, None)
    euler = to_map_frame(euler_from_quaternions(in_file), choice, np.ones(2, bool))
    first, second = quaternions_from_euler(euler)
    assert misorientation_angle(first, second, "-3m") < 1e-6
    wrong = FrameChoice("oxford", "a", "setting")
    euler = to_map_frame(euler_from_quaternions(in_file), wrong, np.ones(2, bool))
    assert np.degrees(misorientation_angle(*quaternions_from_euler(euler), "-3m")) > 50


def test_the_choice_is_named_kept_and_read_again(tmp_path):
    scan = scan_of(np.full((6, 3), 0.5), (2, 3))
    for number in (1, 2):
        write_scan(scan, tmp_path / f"slice_{number}.ang")
    scans = {f"slice_{n}": read_scan(tmp_path / f"slice_{n}.ang") for n in (1, 2)}
    stack = stack_scans(scans, 50.0)
    assert stack.attrs["frames"].describe() == "edax_2 (the maker's default)"
    np.testing.assert_allclose(stack["euler_angles"], 0.5, atol=1e-5)  # out and in again
    for choice in (
        stack.attrs["frames"],
        FrameChoice.of("oxford", FrameRotations(euler=(0, 0, 1, 90)), "a"),
    ):
        assert FrameChoice.from_dict(choice.to_dict()) == choice
    assert "a* to a" in FrameChoice.of("oxford", None, None).describe()


def test_slices_of_other_frames_are_no_stack(tmp_path):
    write_scan(scan_of(np.full((6, 3), 0.5), (2, 3)), tmp_path / "s.ang")
    scans = {
        f"slice_{n}": read_scan(tmp_path / "s.ang", ReadingOptions(frames=frames))
        for n, frames in enumerate(("edax_1", "edax_1", "edax_2"))
    }
    with pytest.raises(ValueError, match="other frames"):
        stack_scans(scans, 50.0)


def test_numbers_that_fall_along_milling_turn_the_stack_over():
    scans = [scan_of(np.full((6, 3), 0.5), (2, 3)) for _ in range(3)]
    scans[2]["image_quality"][:] = 9.0
    stack = stack_scans(scans, 50.0, falling=True)
    assert stack.attrs["slices"] == ("slice_002", "slice_001", "slice_000")
    assert (stack["image_quality"][0] == 9).all()
    assert stack["z"].to_numpy().tolist() == [0, 50, 100]


def test_impossible_frames_are_refused():
    with pytest.raises(SettingsError, match="edax_1, edax_2"):
        frame_rotation("edax")
    with pytest.raises(SettingsError, match="no axis"):
        frame_rotation(FrameRotations(sample=(0, 0, 0, 90)))
    with pytest.raises(ValueError, match="edax_5"):
        ReadingOptions(frames="edax_5")
    assert set(MAKER_FRAMES.values()) <= set(FRAME_PRESETS)
