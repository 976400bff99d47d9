"""What a training step costs on this processor, for the former and the present default.

`python -m benchmarks.training_cost` prints a row for each; with DNNL_MAX_CPU_ISA=AVX2 and
ATEN_CPU_CAPABILITY=avx2 in the environment it is an ordinary laptop's processor that computes.
Time is processor time (user and system), so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import os
import resource

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from electrode_grains.boundary import TrainingSettings, ValidationSettings, WindowSampler
from electrode_grains.boundary.training import _Trainer

SHAPE, LABELLED = (64, 128, 128), (14, 25, 38, 49)
FORMER = TrainingSettings(
    window_shape=(24, 80, 80), batch_size=1, base_width=12, schedule="one_cycle",
    initial_network=None, epochs=24, steps_per_epoch=25,
)  # fmt: skip
FORMER_FOLDS = 8 * 25
CHOICES = {
    "former default: one window of 24 x 80 x 80, width 12": FORMER,
    "the same window, width 8": FORMER.model_copy(update={"base_width": 8}),
    "two windows of 16 x 64 x 64, width 12": FORMER.model_copy(
        update={"window_shape": (16, 64, 64), "batch_size": 2}
    ),
    "default": TrainingSettings(),
}


def peak() -> float:
    """Operations per second of a convolution over 64 channels, per second of processor time."""
    layer, window = torch.nn.Conv3d(64, 64, 3, padding=1), torch.zeros(2, 64, 16, 32, 32)
    with torch.inference_mode():
        layer(window)
        before = processor_time()
        for _ in range(8):
            layer(window)
        seconds = processor_time() - before
    return 8 * 2 * window.numel() * 64 * 27 / seconds


def processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(settings: TrainingSettings, steps: int) -> tuple[float, float, float]:
    """Processor seconds, minor page faults and operations of a step."""
    rng = np.random.default_rng(0)
    contrast = rng.normal(size=(3, *SHAPE)).astype(np.float32)
    annotation = np.zeros(SHAPE, np.uint8)
    annotation[list(LABELLED)] = rng.integers(1, 4, (len(LABELLED), *SHAPE[1:]))
    sampler = WindowSampler(contrast, annotation, window_shape=settings.window_shape)
    trainer = _Trainer(settings, sampler, len(contrast), None, None)
    trainer.network.train()
    for step in range(2):
        trainer._step(step, 1e-3)
    with FlopCounterMode(display=False) as counter:
        trainer._step(0, 1e-3)
    before, faults = processor_time(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for step in range(steps):
        trainer._step(step, 1e-3)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    return (processor_time() - before) / steps, faults / steps, counter.get_total_flops()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    best = peak()
    kind = os.environ.get("ATEN_CPU_CAPABILITY", torch.backends.cpu.get_cpu_capability())
    print(f"\n{kind}, one thread: {best / 1e9:.0f} G operations/s in float32\n")
    print("| training | format | s of processor time a step | page faults a step | "
          "G operations/s | steps of a run, at most | s of a run |")  # fmt: skip
    print("| :--- | :--- | ---: | ---: | ---: | ---: | ---: |")
    for name, settings in CHOICES.items():
        folds = FORMER_FOLDS
        if name == "default":
            folds = ValidationSettings().epochs * settings.steps_per_epoch
        count = settings.epochs * settings.steps_per_epoch + len(LABELLED) * folds
        for precision in ("float32", "bfloat16"):
            if precision == "bfloat16" and "avx2" in kind.lower():
                continue  # such a processor has none
            chosen = settings.model_copy(update={"precision": precision, "device": "cpu"})
            seconds, faults, operations = measured(chosen, asked.steps)
            print(
                f"| {name} | {precision} | {seconds:.2f} | {faults:.0f} | "
                f"{operations / seconds / 1e9:.0f} | {count} | {count * seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
