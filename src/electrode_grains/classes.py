"""Classes of voxels: codes in annotation files, channels of the network, names and colours.

An annotation holds the codes 0 (not annotated), 1, 2, 3; the network's channels are the
classes without 0, in the same order, so that `channel = code - 1`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VoxelClass:
    """A class of voxels.

    Attributes
    ----------
    code : int
        Value in annotation files and in `annotation_volume`.
    name : str
        Name of the class, and of its channel in `class_probability_volume`.
    label_colour : (int, int, int)
        Red, green and blue (0 to 255) in label images, as they are painted and read back.
    figure_colour : str
        Colour in figures.
    """

    code: int
    name: str
    label_colour: tuple[int, int, int]
    figure_colour: str

    @property
    def channel(self) -> int:
        """Position among the channels of the network; -1 for what is not annotated."""
        return self.code - 1


NOT_ANNOTATED, BOUNDARY, INTERIOR, BACKGROUND = range(4)
"""Codes in annotation files."""
BOUNDARY_CHANNEL, INTERIOR_CHANNEL, BACKGROUND_CHANNEL = range(3)
"""Positions among the channels of class probabilities."""

# Okabe and Ito's colours: readers with any colour vision can tell them apart.
CLASSES = (
    VoxelClass(NOT_ANNOTATED, "not annotated", (0, 0, 0), "#FFFFFF"),
    VoxelClass(BOUNDARY, "boundary", (230, 159, 0), "#D55E00"),
    VoxelClass(INTERIOR, "interior", (86, 180, 233), "#56B4E9"),
    VoxelClass(BACKGROUND, "background", (90, 90, 90), "#3B3B3B"),
)
"""All classes by code."""

CHANNELS = CLASSES[1:]
CHANNEL_NAMES = tuple(known.name for known in CHANNELS)
"""Names of the network's channels, in order: boundary, interior, background."""

LABEL_COLOURS = tuple(known.label_colour for known in CLASSES)
"""Red, green and blue of label images, by code."""

FIGURE_COLOURS = tuple(known.figure_colour for known in CHANNELS)
"""Colours of figures, by channel."""

CODES_IN_WORDS = ", ".join(f"{known.code} {known.name}" for known in CLASSES)
"""For refusals: "0 not annotated, 1 boundary, 2 interior, 3 background"."""
