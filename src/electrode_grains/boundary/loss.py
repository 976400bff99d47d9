"""Cross-entropy restricted to annotated voxels."""

from __future__ import annotations

import torch
from torch import Tensor

from electrode_grains.errors import InputError


def masked_cross_entropy(
    logits: Tensor, target: Tensor, mask: Tensor, *, class_weights: Tensor | None = None
) -> Tensor:
    r"""Average the cross-entropy over the annotated voxels of a window.

    Parameters
    ----------
    logits : Tensor of float, shape (batch, n_classes, z, y, x)
        Scores before softmax.
    target : Tensor of int64, shape (batch, z, y, x)
        Class of each voxel; any value where `mask` is False.
    mask : Tensor of bool, shape (batch, z, y, x)
        True for annotated voxels.
    class_weights : Tensor of float, shape (n_classes,), optional
        Weight of each class; the mean is then the weighted one.

    Returns
    -------
    Tensor of float, shape ()
        Loss in nats per annotated voxel.

    Raises
    ------
    InputError
        If the shapes disagree or no voxel is annotated, where the mean is undefined.

    Notes
    -----
    For annotated voxels :math:`M`, true class :math:`k(x)`, predicted
    probabilities :math:`p` and weights :math:`w` (all one by default),

    .. math:: \ell = -\frac{\sum_{x \in M} w_{k(x)} \log p_{k(x)}(x)}
                           {\sum_{x \in M} w_{k(x)}}.

    This is equation (6) of [1]_ with prediction and target exchanged: as
    printed, the logarithm is taken of the one-hot target, which is infinite.

    References
    ----------
    .. [1] O. Furat, D. P. Finegan et al., "Mapping the architecture of single
       lithium ion electrode particles in 3D, using electron backscatter
       diffraction and machine learning segmentation", J. Power Sources 483
       (2021) 229148.

    Examples
    --------
    >>> scores = torch.zeros(1, 3, 1, 2, 2)
    >>> classes = torch.zeros(1, 1, 2, 2, dtype=torch.int64)
    >>> annotated = classes == 0
    >>> round(masked_cross_entropy(scores, classes, annotated).item(), 4)
    1.0986
    """
    expected = (logits.shape[0], *logits.shape[2:])
    for name, tensor in (("target", target), ("mask", mask)):
        if tensor.shape != expected:
            raise InputError(
                f"{name} and scores of a window differ in shape",
                found=f"{tuple(tensor.shape)} for scores of {tuple(logits.shape)}",
                expected=f"{tuple(expected)} (batch, z, y, x)",
            )
    if not mask.any():
        raise InputError(
            "the window holds no annotated voxel, so that the mean loss is undefined",
            found=f"an empty mask of shape {tuple(mask.shape[1:])} (z, y, x)",
            remedy="draw windows that cross an annotated slice",
        )
    # Selecting first spares the logarithm of all the voxels nobody annotated.
    return torch.nn.functional.cross_entropy(
        logits.movedim(1, -1)[mask], target[mask], weight=class_weights
    )
