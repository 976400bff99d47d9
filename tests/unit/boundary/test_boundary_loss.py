import math

import pytest
import torch

from electrode_grains.boundary import masked_cross_entropy


def random_window(seed=20):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, 3, 4, 5, 6, generator=generator, requires_grad=True)
    target = torch.randint(3, (1, 4, 5, 6), generator=generator)
    mask = torch.zeros(1, 4, 5, 6, dtype=torch.bool)
    mask[:, 1] = True  # one annotated slice, z = 1
    return logits, target, mask


def test_no_gradient_reaches_unannotated_voxels():
    logits, target, mask = random_window()

    masked_cross_entropy(logits, target, mask).backward()

    assert torch.equal(logits.grad.abs().sum(dim=1) > 0, mask)


@pytest.mark.parametrize("annotated", [1, 7, 120])
def test_equal_scores_cost_ln_3_however_few_voxels_are_annotated(annotated):
    mask = (torch.arange(120) < annotated).reshape(1, 4, 5, 6)

    loss = masked_cross_entropy(torch.zeros(1, 3, 4, 5, 6), torch.ones_like(mask).long(), mask)

    assert loss.item() == pytest.approx(math.log(3), rel=1e-6)


def test_loss_is_the_mean_of_minus_log_probability_of_the_true_class():
    logits, target, mask = random_window()
    probability = logits.detach().softmax(dim=1)
    of_true = probability.gather(1, target[:, None])[:, 0]

    loss = masked_cross_entropy(logits.detach(), target, mask)

    assert loss.item() == pytest.approx(-of_true[mask].log().mean().item(), rel=1e-5)


def test_values_outside_the_mask_do_not_matter():
    logits, target, mask = random_window()
    changed = torch.where(mask[:, None], logits.detach(), torch.full_like(logits, torch.nan))
    other_target = torch.where(mask, target, torch.full_like(target, 99))

    expected = masked_cross_entropy(logits.detach(), target, mask)
    assert torch.equal(masked_cross_entropy(changed, other_target, mask), expected)


def test_class_weights_enter_as_a_weighted_mean():
    logits, target, mask = random_window()
    weights = torch.tensor([4.0, 1.0, 0.5])
    per_voxel = torch.nn.functional.cross_entropy(logits, target, reduction="none")[mask]
    of_voxel = weights[target[mask]]

    loss = masked_cross_entropy(logits, target, mask, class_weights=weights)

    expected = (of_voxel * per_voxel).sum() / of_voxel.sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_window_without_annotation_is_refused():
    logits, target, mask = random_window()

    with pytest.raises(ValueError, match=r"empty mask of shape \(4, 5, 6\)"):
        masked_cross_entropy(logits, target, torch.zeros_like(mask))


def test_mask_of_another_shape_is_refused():
    logits, target, mask = random_window()

    with pytest.raises(ValueError, match=r"mask and scores.*\n.*\(1, 3, 5, 6\)"):
        masked_cross_entropy(logits, target, mask[:, :3])
