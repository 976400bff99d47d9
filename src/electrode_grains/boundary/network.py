"""The 3D U-Net that tells grain boundary, grain interior and background apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from electrode_grains.classes import CHANNELS
from electrode_grains.errors import InputError, SettingsError

NORMS = ("batch", "group", "none")
_CONVOLUTIONS_PER_LEVEL = 2
_POOLING_FACTOR = 2


def _normalization(norm: str, width: int) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm3d(width)
    if norm == "group":
        return nn.GroupNorm(min(8, width), width)
    return nn.Identity()


class _DoubleConvolution(nn.Sequential):
    """Twice a 3 x 3 x 3 convolution, normalisation and rectifier."""

    def __init__(self, in_channels: int, width: int, norm: str) -> None:
        layers: list[nn.Module] = []
        for channels in (in_channels, width):
            # A bias before batch normalisation would be subtracted again.
            layers += [
                nn.Conv3d(channels, width, kernel_size=3, padding=1, bias=norm == "none"),
                _normalization(norm, width),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*layers)


class UNet3D(nn.Module):
    """A small 3D U-Net with one output channel for each class.

    Parameters
    ----------
    in_channels : int
        Contrast channels of the input; the paper uses one (image quality).
    base_width : int
        Feature channels at full resolution; they double at every pooling.
    depth : int
        Number of poolings.
    norm : {"batch", "group", "none"}
        Normalisation after each convolution. Batch normalisation is a fixed
        affine map at inference, so that a volume may be cut into windows
        without a change of the result; group normalisation depends on the window.

    Raises
    ------
    SettingsError
        If a number is not positive or the norm is unknown.

    Notes
    -----
    The architecture follows [1]_ and [2]_, with a quarter of their width. The
    kernels count voxels, not nanometres: a network serves the voxel shape it
    was trained on.

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional networks
       for biomedical image segmentation", MICCAI, 2015.
    .. [2] Ö. Çiçek et al., "3D U-Net: Learning dense volumetric segmentation
       from sparse annotation", MICCAI, 2016.

    Examples
    --------
    >>> network = UNet3D(base_width=4, depth=1)
    >>> tuple(network(torch.zeros(1, 1, 4, 6, 8)).shape)
    (1, 3, 4, 6, 8)
    >>> network.pooling
    2
    """

    def __init__(
        self, in_channels: int = 1, base_width: int = 16, depth: int = 2, norm: str = "batch"
    ) -> None:
        super().__init__()
        _check_settings(in_channels, base_width, depth, norm)
        self._settings: dict[str, Any] = {
            "in_channels": in_channels,
            "base_width": base_width,
            "depth": depth,
            "norm": norm,
        }
        widths = [base_width * _POOLING_FACTOR**level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(
            _DoubleConvolution(before, width, norm)
            for before, width in zip([in_channels, *widths], widths, strict=False)
        )
        self.pool = nn.MaxPool3d(_POOLING_FACTOR)
        # From the coarsest level upwards.
        self.upsample = nn.ModuleList(
            nn.ConvTranspose3d(2 * width, width, _POOLING_FACTOR, stride=_POOLING_FACTOR)
            for width in reversed(widths[:-1])
        )
        self.decoder = nn.ModuleList(
            _DoubleConvolution(2 * width, width, norm) for width in reversed(widths[:-1])
        )
        self.head = nn.Conv3d(base_width, len(CHANNELS), kernel_size=1)

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments that build a network of the same architecture."""
        return dict(self._settings)

    @property
    def in_channels(self) -> int:
        """Number of contrast channels that the network reads."""
        return int(self._settings["in_channels"])

    @property
    def base_width(self) -> int:
        """Feature channels at full resolution."""
        return int(self._settings["base_width"])

    @property
    def pooling(self) -> int:
        """Voxels to which every side of the input must be a multiple."""
        return int(_POOLING_FACTOR ** self._settings["depth"])

    @property
    def depends_on_window(self) -> bool:
        """Whether the normalisation looks at all voxels of a window."""
        return bool(self._settings["norm"] == "group")

    @property
    def receptive_radius(self) -> int:
        """Voxels along an axis, to either side, that can influence one output voxel."""
        return _receptive_radius(int(self._settings["depth"]))

    @property
    def parameter_count(self) -> int:
        """Number of trained weights."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, contrast: Tensor) -> Tensor:
        """Score each class in each voxel.

        Parameters
        ----------
        contrast : Tensor of float, shape (batch, in_channels, z, y, x)
            Normalised contrast; z, y and x are multiples of `pooling`.

        Returns
        -------
        Tensor of float, shape (batch, 3, z, y, x)
            Scores before softmax, in the order of `electrode_grains.classes.CHANNELS`.

        Raises
        ------
        InputError
            If the shape fits neither the channels nor the pooling lattice.
        """
        self._check_input(contrast)
        passed_on: list[Tensor] = []
        features = contrast
        for level, block in enumerate(self.encoder):
            features = block(self.pool(features) if level else features)
            passed_on.append(features)
        passed_on.pop()
        for upsample, block in zip(self.upsample, self.decoder, strict=True):
            features = block(torch.cat([passed_on.pop(), upsample(features)], dim=1))
        scores: Tensor = self.head(features)
        return scores

    def freeze_statistics(self) -> None:
        """Keep the running means and variances of batch normalisation as they are.

        The weights go on learning, but under exactly the normalisation that
        inference will use.
        """
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eval()

    def _check_input(self, contrast: Tensor) -> None:
        fits = contrast.ndim == 5 and contrast.shape[1] == self.in_channels
        if not fits or any(side % self.pooling for side in contrast.shape[2:]):
            raise InputError(
                "the network cannot read a window of this shape",
                found=f"{tuple(contrast.shape)}",
                expected=f"(batch, {self.in_channels}, z, y, x) with z, y, x multiples "
                f"of {self.pooling}",
                remedy="use predict_class_probabilities, which pads the volume",
            )


def _check_settings(in_channels: int, base_width: int, depth: int, norm: str) -> None:
    for name, value in (("in_channels", in_channels), ("base_width", base_width), ("depth", depth)):
        if value < 1:
            raise SettingsError(
                f"{name} of the network must be positive", found=str(value), expected="1 or more"
            )
    if norm not in NORMS:
        raise SettingsError(
            "unknown normalisation of the network", found=repr(norm), expected=" or ".join(NORMS)
        )


def _receptive_radius(depth: int) -> int:
    """Follow the indices that one output voxel depends on down to the bottom and back."""
    reach = _CONVOLUTIONS_PER_LEVEL
    radius = 0
    # The reach depends on where the voxel lies in its pooling cell.
    for position in range(_POOLING_FACTOR**depth):
        low = high = position
        for _ in range(depth):
            low, high = (low - reach) // _POOLING_FACTOR, (high + reach) // _POOLING_FACTOR
        low, high = low - reach, high + reach
        for _ in range(depth):
            low = _POOLING_FACTOR * low - reach
            high = _POOLING_FACTOR * high + _POOLING_FACTOR - 1 + reach
        radius = max(radius, position - low, high - position)
    return radius


def network_state(network: UNet3D) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Separate a network into its weights and the settings that rebuild it.

    Parameters
    ----------
    network : UNet3D
        Trained or not.

    Returns
    -------
    weights : dict of Tensor
        Copies on the CPU, running statistics of the normalisation included.
    settings : dict
        Arguments of `UNet3D`, plain JSON values.

    Examples
    --------
    >>> weights, settings = network_state(UNet3D(base_width=4, depth=1))
    >>> settings
    {'in_channels': 1, 'base_width': 4, 'depth': 1, 'norm': 'batch'}
    >>> network_from_state(weights, settings).parameter_count == sum(
    ...     tensor.numel() for name, tensor in weights.items()
    ...     if "running" not in name and "tracked" not in name)
    True
    """
    weights = {
        name: tensor.detach().to("cpu", copy=True).contiguous()
        for name, tensor in network.state_dict().items()
    }
    return weights, network.settings


def network_from_state(state: Mapping[str, Tensor], settings: Mapping[str, Any]) -> UNet3D:
    """Rebuild a network from its weights and settings, ready for inference.

    Parameters
    ----------
    state : mapping of Tensor
        Weights as `network_state` returns them.
    settings : mapping
        Arguments of `UNet3D`.

    Returns
    -------
    UNet3D
        In evaluation mode, on the CPU.

    Raises
    ------
    InputError
        If the weights do not belong to a network of these settings.
    SettingsError
        If the settings build no network.
    """
    try:
        # The first random weights are thrown away; they should not cost the caller's.
        with torch.random.fork_rng(devices=[]):
            network = UNet3D(**settings)
    except TypeError as error:
        raise SettingsError(
            "the settings do not describe a U-Net",
            found=", ".join(sorted(map(str, settings))),
            expected="in_channels, base_width, depth, norm",
        ) from error
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as error:
        raise InputError(
            "the weights do not belong to a network of these settings",
            found=str(error).splitlines()[-1].strip(),
            expected=f"the weights of {network.settings}",
            remedy="load the settings that were stored beside the weights",
        ) from error
    return network.eval()
