"""Training steps and inference beside MONAI, and beside what the machine can do at most.

`python -m benchmarks.boundary_speed [--device cuda]`. Operations are counted by PyTorch; the peak
is the better of a large matrix product and a convolution in the same number format. Both sides
run in turn, and the least time of several counts. MONAI takes part where it is installed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.timing import least_seconds
from electrode_grains.boundary import PredictionSettings, UNet3D, predict_class_probabilities

VOLUME = (96, 224, 240)
FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
WINDOWS = ((24, 80, 80), (80, 80, 80))


def settle(device: str) -> Callable[[], None]:
    return torch.cuda.synchronize if device == "cuda" else lambda: None


def operations(work: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def peak(device: str, dtype: torch.dtype) -> dict[str, float]:
    """Operations per second of a matrix product and of a convolution."""
    side = 8192 if device == "cuda" else 2048
    one, two = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    layer = nn.Conv3d(64, 64, 3, padding=1).to(device, dtype)
    layer = layer.to(memory_format=torch.channels_last_3d)
    cells = (64, 96, 96) if device == "cuda" else (32, 48, 48)
    block = torch.randn(1, 64, *cells, device=device, dtype=dtype)
    block = block.to(memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        works = {"matrix product": lambda: one @ two, "convolution": lambda: layer(block)}
        seconds = least_seconds(works, 5, settle(device))
    counted = {
        "matrix product": 2 * side**3,
        "convolution": 2 * 27 * 64 * 64 * int(np.prod(cells)),
    }
    return {name: counted[name] / seconds[name] for name in seconds}


def step_of(network: nn.Module, window: tuple[int, int, int], precision: str, device: str):
    optimizer = torch.optim.Adam(network.parameters())
    network.train()
    image = torch.randn(1, 1, *window, device=device)
    image = image.to(memory_format=torch.channels_last_3d)
    target = torch.randint(0, 3, (1, *window), device=device)

    def step() -> None:
        with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            scores: Tensor = network(image)
        loss = nn.functional.cross_entropy(scores.float(), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def inner_last(network: nn.Module, device: str) -> nn.Module:
    return network.to(device, memory_format=torch.channels_last_3d)


def peers(device: str) -> dict[str, nn.Module]:
    """MONAI's U-Net with as many weights."""
    if find_spec("monai") is None:
        return {}
    from monai.networks.nets import BasicUNet

    features = (12, 12, 24, 48, 96, 12)
    peer = BasicUNet(3, 1, 3, features, norm=("batch", {}))
    return {f"MONAI BasicUNet {features}": inner_last(peer, device)}


def compare_steps(device: str, repeats: int) -> None:
    print("\n| training step | format | weights | ms | operations | share of peak |")
    print("| :--- | :--- | ---: | ---: | ---: | ---: |")
    for precision, dtype in FORMATS.items():
        best = max(peak(device, dtype).values())
        networks = {"UNet3D 12, depth 3": inner_last(UNet3D(1, 12, 3), device), **peers(device)}
        if device == "cuda":
            compiled = torch.compile(inner_last(UNet3D(1, 12, 3), device))
            networks["UNet3D 12, depth 3, compiled"] = compiled
        for window in WINDOWS:
            works = {
                name: step_of(network, window, precision, device)
                for name, network in networks.items()
            }
            seconds = least_seconds(works, repeats, settle(device))
            for name, network in networks.items():
                counted = 0 if "compiled" in name else operations(works[name])
                weights = sum(each.numel() for each in network.parameters())
                print(
                    f"| {name}, {window} | {precision} | {weights} | {1e3 * seconds[name]:.1f} | "
                    f"{counted / 1e9:.1f} G | {counted / seconds[name] / best:.2f} |",
                    flush=True,
                )


def compare_inference(device: str, repeats: int, depth: int) -> None:
    contrast = np.random.default_rng(0).normal(size=VOLUME).astype(np.float32)
    network = inner_last(UNet3D(1, 12, depth), device).eval()
    whole = torch.zeros(1, 1, *VOLUME, device=device)
    with torch.inference_mode():
        needed = operations(lambda: network(whole))
    print(f"\nDepth {depth}, {VOLUME}: {needed / 1e9:.0f} G operations in one pass over it all\n")
    print("| inference | format | s | ratio | useful operations / peak |")
    print("| :--- | :--- | ---: | ---: | ---: |")
    for precision, dtype in FORMATS.items():
        best = max(peak(device, dtype).values())
        works: dict[str, Callable[[], Any]] = {
            "predict_class_probabilities": lambda p=precision: predict_class_probabilities(
                network,
                contrast,
                settings=PredictionSettings(window_shape=None, precision=p, device=device),
            )
        }
        if find_spec("monai") is not None:
            from monai.inferers import sliding_window_inference

            def slide(precision: str = precision) -> Any:
                image = torch.from_numpy(contrast)[None, None].to(device)
                enabled = precision == "bfloat16"
                with (
                    torch.inference_mode(),
                    torch.autocast(device, dtype=torch.bfloat16, enabled=enabled),
                ):
                    scores = sliding_window_inference(
                        image, (80, 80, 80), 4 if device == "cuda" else 1, network, overlap=0.25
                    )
                return scores.float().softmax(dim=1)[0].cpu().numpy()

            works["MONAI sliding_window_inference, 80^3, overlap .25"] = slide
        seconds = least_seconds(works, repeats, settle(device))
        for name, taken in seconds.items():
            print(
                f"| {name} | {precision} | {taken:.3f} | "
                f"{taken / seconds['predict_class_probabilities']:.2f} | "
                f"{needed / taken / best:.2f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    where = torch.cuda.get_device_name() if asked.device == "cuda" else "CPU"
    print(
        f"\n# Boundary network on {where}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads\n"
    )
    for name, dtype in FORMATS.items():
        shown = ", ".join(f"{k} {v / 1e9:.0f} G/s" for k, v in peak(asked.device, dtype).items())
        print(f"peak in {name}: {shown}")
    compare_steps(asked.device, asked.repeats)
    for depth in (2, 3):
        compare_inference(asked.device, asked.repeats, depth)


if __name__ == "__main__":
    main()
