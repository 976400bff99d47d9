"""The network to start from: trained on virtual particles, for any choice of channels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file

from electrode_grains.boundary.network import UNet3D, network_from_state, network_state
from electrode_grains.boundary.settings import ContrastSettings, TrainingSettings
from electrode_grains.errors import SettingsError

EMBEDDED = Path(__file__).with_name("embedded_network")
"""Weights, made by `python -m benchmarks.starting_network`; see docs/boundary_model.md."""


def embedded_network(channels: Sequence[str] | None = None) -> UNet3D:
    """Build the network that comes with the package.

    Parameters
    ----------
    channels : sequence of str, optional
        What the contrast holds; by default all channels of `ContrastSettings`.

    Returns
    -------
    UNet3D
        In evaluation mode. It was trained with and without orientations: a channel that is
        left out is one that is zero everywhere.

    Examples
    --------
    >>> embedded_network(["image_quality"]).in_channels
    1
    """
    settings = json.loads((EMBEDDED / "settings.json").read_text(encoding="utf-8"))
    known = settings.pop("channels")
    network = network_from_state(load_file(EMBEDDED / "weights.safetensors"), settings)
    return select_channels(network, known, known if channels is None else channels)


def select_channels(network: UNet3D, known: Sequence[str], wanted: Sequence[str]) -> UNet3D:
    """Let a network read other channels than it was trained with.

    Parameters
    ----------
    network : UNet3D
        Stays as it is.
    known : sequence of str
        Names of the channels that it reads.
    wanted : sequence of str
        Names of the channels that the copy reads.

    Returns
    -------
    UNet3D
        Gives what `network` gives where channels left out are zero; a channel that `network`
        does not know has no influence before training.
    """
    weights, settings = network_state(network)
    first = weights["encoder.0.0.weight"]
    none = torch.zeros_like(first[:, 0])
    columns = [first[:, known.index(name)] if name in known else none for name in wanted]
    weights["encoder.0.0.weight"] = torch.stack(columns, dim=1)
    return network_from_state(weights, settings | {"in_channels": len(wanted)})


def initial_network(settings: TrainingSettings, channels: Sequence[str] | int) -> UNet3D | None:
    """Network that the settings name, as far as the domain can load it.

    Parameters
    ----------
    settings : TrainingSettings
        Its `initial_network` is None or "embedded".
    channels : sequence of str or int
        Names of the contrast channels, or their number in the order of `ContrastSettings`.

    Returns
    -------
    UNet3D or None
        None where the training starts from nothing.

    Raises
    ------
    SettingsError
        If the network lies elsewhere, or unnamed channels are more than are known.
    """
    if settings.initial_network is None:
        return None
    if settings.initial_network != "embedded":
        raise SettingsError(
            "a network of another training must be loaded before",
            found=f"initial_network {settings.initial_network!r}",
            remedy="pass it as initial_network",
        )
    if isinstance(channels, int):
        names = ContrastSettings().channels
        if channels > len(names):
            raise SettingsError(
                "the embedded network does not know the channels of the contrast",
                found=f"{channels} channels without names",
                expected=f"at most {', '.join(names)}",
                remedy="name them by channels=, or set initial_network to None",
            )
        channels = names[:channels]
    return embedded_network(channels)
