"""Registration of the slices of a stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from electrode_grains.alignment.drift import center_frame, regularise_drift, remove_trend
from electrode_grains.alignment.evidence import AGAINST, Evidence, LatticeTurns, weigh_steps
from electrode_grains.alignment.fixed_lines import (
    planes_without_fixed_lines,
    without_fixed_lines,
)
from electrode_grains.alignment.lattice import (
    LatticeField,
    step_changes,
    turn_by_lattice,
    witness,
)
from electrode_grains.alignment.matching import (
    Match,
    Slices,
    match_earlier,
    match_neighbours,
    match_unmoved,
    register_ahead,
)
from electrode_grains.alignment.pairs import (
    LEAST_OVERLAP,
    Image,
    correlation,
    covered_share,
    noise_correlation,
    prepare_slices,
)
from electrode_grains.alignment.planes import Planes, PreparedPlanes
from electrode_grains.alignment.precision import step_errors
from electrode_grains.alignment.seams import find_seams, seam_warnings, step_excess
from electrode_grains.alignment.settings import AlignmentSettings, Mode
from electrode_grains.alignment.strain import (
    accumulated,
    describe_strain,
    significant_strains,
    strain_matrices,
)
from electrode_grains.alignment.symmetries import TurnedSlices, possible_symmetries, set_upright
from electrode_grains.alignment.transforms import (
    Matrices,
    SliceTransforms,
    center_motion,
    rigid_matrix,
    window_center,
)
from electrode_grains.blocks import BlockExecutor
from electrode_grains.errors import InputError, SettingsError

LATTICE_AGAINST = (
    "where slices are turned, lattices turn against the images: the orientations are not in the "
    "frame of the map. Rotations are taken from the images; set preprocessing.stack.frames"
)
LEAST_TURN = np.radians(0.03)  # by the lattice; less moves no point by a tenth of a pixel


class SettingChanges(TypedDict, total=False):
    """Single settings of the alignment as keywords; their meaning is in `AlignmentSettings`."""

    mode: Mode
    undo: tuple[TurnedSlices, ...]
    require_evidence: bool
    reference: Literal["previous", "neighbours", "first"]
    smoothing: float
    mask_background: bool
    suppress_fixed_lines: bool
    rotation_correlation_length: float | None
    shift_correlation_length: float | None
    lattice_rotation: bool
    detrend: Literal["linear"] | None
    initial_guess: bool
    strict: bool


def estimate_transforms(
    stack: ArrayLike | Planes,
    settings: AlignmentSettings | None = None,
    *,
    lattice: LatticeField | None = None,
    progress: Callable[[int, int], None] | None = None,
    executor: BlockExecutor | None = None,
    **changes: Unpack[SettingChanges],
) -> SliceTransforms:
    """Estimate how each slice of a stack has drifted.

    Parameters
    ----------
    stack : array_like of float, or Planes, shape (z, y, x)
        Image quality as scanned; NaN where there is none. `Planes` are read slice by slice, some
        ten times, and never held as a whole; the results are the same.
    settings : AlignmentSettings, optional
        How slices are registered; the defaults are those of the pipeline.
    lattice : LatticeField, optional
        Orientations of the stack as scanned: the ruler of rotations, and a witness of shifts.
    progress : callable, optional
        Called with the number of slices done and their total.
    executor : BlockExecutor, optional
        Computes the registrations of neighbours; the results do not depend on it.
    **changes
        Single settings by name, in place of those of `settings`.

    Returns
    -------
    SliceTransforms
        In a frame in which the slices lie in the window on average.

    Raises
    ------
    InputError
        If the stack is not three-dimensional or empty; under `strict` if a slice is flagged.
    SettingsError
        If a setting is unknown or impossible.

    Notes
    -----
    Each slice is registered to the one before [1]_. A pair whose correlation afterwards is
    that of noise, or no better than before, does not count: the slice tries up to three
    slices further back, so that one ruined slice neither moves nor cuts the rest. A slice
    that nothing matches takes the motion of the slice before, and is flagged.

    With "neighbours", three registrations between three slices must close: two steps make the
    double step. A slice around which no triangle closes is bad, and so is one that the slices
    around it resemble less than each other; it is bridged, and placed midway between them. A
    single step that does not close though its slices do elsewhere is replaced by a detour. Double
    steps serve these checks only: the sections of a grain move the same way over several slices,
    so that errors over two slices are larger than those of two steps; averaging them in made the
    cumulated error of six virtual stacks 1.1 to 1.4 times as large, with triple steps up to 1.8
    times. "previous" looks for no bad slices; "first" cannot accumulate errors but needs slices
    that resemble the first, so few of them.

    A constant drift and a stack of grains that all lean one way look the same in the
    images. By default the apparent motion is taken for drift and removed, which holds for
    equiaxed grains; `detrend="linear"` takes its linear part for structure and keeps it,
    fit for lamellae or columns that cross the stack at an angle.

    References
    ----------
    .. [1] P. Thévenaz, U. E. Ruttimann, M. Unser, "A pyramid approach to subpixel
       registration based on intensity", IEEE Trans. Image Process. 7 (1998) 27-41.

    Examples
    --------
    >>> from scipy import ndimage
    >>> body = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(40, 48)), 2)
    >>> transforms = estimate_transforms([body[:, :40], body[:, 4:44]], mode="translation")
    >>> np.diff(transforms.shift_x).round(1).tolist()
    [-4.0]
    """
    settings = settings or AlignmentSettings()
    if changes:
        settings = AlignmentSettings.checked(**{**settings.model_dump(), **changes})
    values = stack if isinstance(stack, Planes) else np.asarray(stack, float)
    shape = values.shape
    if len(shape) != 3 or 0 in shape:
        raise InputError("a stack has dimensions (z, y, x)", found=f"shape {shape}")
    center = window_center(shape)
    mode = "rigid_body" if settings.mode == "auto" else settings.mode
    images, pattern = _prepare(values, settings)
    slices = Slices(
        images=images,
        mode=mode,
        initial_guess=settings.initial_guess,
        floor=noise_correlation(shape, settings.smoothing),
        center=center,
    )
    report_progress = progress or (lambda done, total: None)
    if executor is not None and settings.reference != "first":
        checks = mode != "none" and settings.reference == "neighbours"
        register_ahead(slices, executor, report_progress, checks=checks)
    if mode == "none":
        matches = match_unmoved(slices, report_progress)
    elif settings.reference == "neighbours":
        matches = match_neighbours(slices, report_progress)
    else:
        matches = match_earlier(slices, settings.reference, report_progress)
    strains = np.zeros((shape[0], 3))
    if mode != "none":
        strains = significant_strains(slices, matches)
        matches = _flag_strains(matches, strains, mode)
    matches = _flag_seams(slices, matches, lattice, strains)
    turns = None
    if lattice and mode in ("rigid_body", "affine") and settings.lattice_rotation:
        matches, turns = turn_by_lattice(slices, matches, lattice)
    evidence = None if mode == "none" else _weigh(slices, matches, turns, lattice)
    if evidence and settings.require_evidence and not evidence.moves:
        matches = _keep_significant(slices, matches, evidence)
    matrices = _chain(matches, center)
    # Rotations by the lattice have no errors that add up to anything.
    by_lattice = turns is not None and turns.leads
    matrices, notes = regularise_drift(
        matrices,
        center,
        settings.shift_correlation_length,
        None if by_lattice else settings.rotation_correlation_length,
    )
    if turns is not None and turns.sense == AGAINST:
        notes += (LATTICE_AGAINST,)
    if pattern:
        notes += (pattern,)
    matrices = center_frame(matrices, center)
    if mode == "affine":
        matrices = matrices @ strain_matrices(accumulated(strains, matches), center)
    if settings.detrend == "linear":
        matrices = remove_trend(matrices, center)
    transforms = replace(
        _result(matrices, mode, matches, shape, center, notes),
        evidence=evidence,
        lattice=turns,
    ).turned_back(settings.undo)
    if settings.strict:
        refuse_flagged(transforms)
    return transforms


def _prepare(
    values: NDArray[np.float64] | Planes, settings: AlignmentSettings
) -> tuple[Sequence[Image | None], str | None]:
    """Slices as they are registered, and a note on lines that stand still."""
    pattern = None
    if isinstance(values, Planes):
        if settings.suppress_fixed_lines:
            values, pattern = planes_without_fixed_lines(values)
        upright = _upright_planes(values, settings.undo)
        return PreparedPlanes(upright, settings.smoothing, settings.mask_background), pattern
    if settings.suppress_fixed_lines:
        values, pattern = without_fixed_lines(values)
    values = _upright(values, settings.undo)
    return prepare_slices(values, settings.smoothing, settings.mask_background), pattern


def _upright(values: NDArray[np.float64], undo: Sequence[TurnedSlices]) -> NDArray[np.float64]:
    """The stack with its turned slices upright."""
    if not undo:
        return values
    _check_undo(values.shape, undo)
    upright = values.copy()
    for turned in undo:
        for z in turned.slices(len(values)):
            upright[z] = set_upright(upright[z], turned.symmetry)
    return upright


def _upright_planes(planes: Planes, undo: Sequence[TurnedSlices]) -> Planes:
    """The same for a stack that is read slice by slice."""
    if not undo:
        return planes
    _check_undo(planes.shape, undo)
    ranges = [(turned.slices(len(planes)), turned.symmetry) for turned in undo]

    def upright(z: int, image: Image) -> Image:
        for slices, symmetry in ranges:
            image = set_upright(image, symmetry) if z in slices else image
        return np.ascontiguousarray(image)

    return planes.changed(upright)


def _check_undo(shape: tuple[int, ...], undo: Sequence[TurnedSlices]) -> None:
    """Refuse ranges beyond the stack, and turns that its window does not allow."""
    for turned in undo:
        if max(turned.first, turned.last or 0) >= shape[0]:
            raise SettingsError(
                "undo names slices that the stack does not have",
                found=f"{turned.first} to {turned.last}",
                expected=f"0 to {shape[0] - 1}",
            )
        if turned.symmetry not in possible_symmetries(shape):
            raise SettingsError(
                "a window that is no square cannot be turned by 90 degrees",
                found=f"{turned.symmetry} of {shape[1]} x {shape[2]} points (y, x)",
                expected=" or ".join(possible_symmetries(shape)),
            )


def _flag_seams(
    slices: Slices,
    matches: Sequence[Match],
    lattice: LatticeField | None,
    strains: NDArray[np.float64],
) -> list[Match]:
    """Matches whose slices carry the warnings of the seams before them."""
    flagged = list(matches)
    known = None if lattice is None else step_excess(*step_changes(lattice, matches))
    seams = [
        s for s in find_seams(slices, matches, known) if s.symmetry or not strains[s.slice].any()
    ]
    for z, warning in seam_warnings(seams).items():
        flagged[z] = replace(flagged[z], flags=(warning, *flagged[z].flags))
    return flagged


def _flag_strains(matches: Sequence[Match], strains: NDArray[np.float64], mode: str) -> list[Match]:
    """Matches whose slices carry a warning where they are distorted and stay so."""
    flagged = list(matches)
    for z in map(int, np.flatnonzero(strains.any(axis=1))):
        if mode != "affine":
            flags = (describe_strain(strains[z]), *flagged[z].flags)
            flagged[z] = replace(flagged[z], flags=flags)
    return flagged


def _steps(matches: Sequence[Match], center: tuple[float, float]) -> NDArray[np.float64]:
    """Motion of each slice but the first against its reference, NaN where it has none."""
    steps = center_motion(np.array([match.step for match in matches]), center)
    steps[[match.between or not np.isfinite(match.after) for match in matches]] = np.nan
    return steps[1:]


def _chain(matches: Sequence[Match], center: tuple[float, float]) -> Matrices:
    """Motions of all slices against the first, from their steps."""
    matrices = np.tile(np.eye(3), (len(matches), 1, 1))
    for z, match in enumerate(matches[1:], 1):
        matrices[z] = match.step @ matrices[match.reference]
    _place_between(matrices, matches, center)
    return matrices


def _weigh(
    slices: Slices,
    matches: Sequence[Match],
    turns: LatticeTurns | None,
    lattice: LatticeField | None,
) -> Evidence:
    """Judge the motions of a stack by their errors, and by the orientations."""
    steps = _steps(matches, slices.center)
    errors = np.full_like(steps, np.nan)
    for z, match in enumerate(matches[1:], 1):
        reference, moving = slices.images[match.reference], slices.images[z]
        if np.isfinite(steps[z - 1]).all() and reference is not None and moving is not None:
            errors[z - 1] = step_errors(reference, moving, match.step)
    if turns is not None and turns.sense != AGAINST:
        measured = np.isfinite(turns.errors[:, 2])
        errors[measured, 2] = np.maximum(turns.errors[measured, 2], LEAST_TURN)
    gains = np.array([match.after - match.before for match in matches[1:]])
    evidence = weigh_steps(steps, errors, gains)
    if lattice is None:
        return evidence
    return evidence.heard(*witness(lattice, _chain(matches, slices.center)))


def _keep_significant(slices: Slices, matches: Sequence[Match], evidence: Evidence) -> list[Match]:
    """Matches whose steps are those of the stage."""
    kept = [matches[0]]
    steps = np.nan_to_num(evidence.significant(_steps(matches, slices.center)))
    for z, (match, (x, y, rotation)) in enumerate(zip(matches[1:], steps, strict=True), 1):
        step = rigid_matrix(x, y, rotation, slices.center)
        reference, moving = slices.images[match.reference], slices.images[z]
        after = match.after
        if np.isfinite(after) and reference is not None and moving is not None:
            after = correlation(reference, moving, step)
        kept.append(replace(match, step=step, after=after))
    return kept


def _place_between(
    matrices: Matrices, matches: Sequence[Match], center: tuple[float, float]
) -> None:
    """Place runs of bad slices evenly between the good ones around them."""
    motions = center_motion(matrices, center)
    good = [z for z, match in enumerate(matches) if not match.between]
    for z, match in enumerate(matches):
        if match.between and good:
            x, y, rotation = (float(np.interp(z, good, motions[good, axis])) for axis in range(3))
            matrices[z] = rigid_matrix(x, y, rotation, center)


def _result(
    matrices: Matrices,
    mode: str,
    matches: Sequence[Match],
    shape: tuple[int, ...],
    center: tuple[float, float],
    notes: tuple[str, ...],
) -> SliceTransforms:
    overlap = np.array([covered_share(matrix, shape[1:]) for matrix in matrices])
    flags = [
        match.flags + ((f"covers only {share:.0%} of the window",) if share < LEAST_OVERLAP else ())
        for match, share in zip(matches, overlap, strict=True)
    ]
    return SliceTransforms(
        matrices,
        mode,
        np.array([match.before for match in matches]),
        np.array([match.after for match in matches]),
        overlap,
        tuple(flags),
        center,
        np.array([match.reference for match in matches]),
        notes,
    )


def refuse_flagged(transforms: SliceTransforms) -> None:
    """Refuse a stack with flagged slices, as `strict` wants it.

    Raises
    ------
    InputError
        Naming all of them.
    """
    flagged = [f"slice {z}: {'; '.join(f)}" for z, f in enumerate(transforms.flags) if f]
    if flagged:
        raise InputError(
            f"{len(flagged)} slices could not be aligned reliably:\n  " + "\n  ".join(flagged),
            expected="no flagged slice, since the alignment is strict",
            remedy="look at these slices, leave them out, or switch strict off",
        )
