"""The network of a recipe in PyTorch, the peer: seconds per epoch, wall and CPU. One JSON line.

Same layers, optimizer, batch size and numbers of images; an epoch is, as in stages/train.py, the training images in
random order, then the held-out ones. Tensors in memory, channels last, fused optimizer, PyTorch's own threads. Where
padding is odd, PyTorch puts the odd pixel on the other side, which costs the same. Augmentation, schedules and averages
of a recipe are left out. Runs with any Python that has torch, numpy and ruamel.yaml:
`python benchmarks/peer.py RECIPE [--epochs N] [--processed FOLDER]`
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ruamel.yaml import YAML
from torch import nn

ROOT = Path(__file__).parents[1]
BATCH = 1000  # of held-out images


def window(size: int, padding: str) -> dict[str, Any]:
    """What makes the output as large as "same" does: padding for an odd kernel, an end that may jut out for an even."""
    if padding == "valid":
        return {"padding": 0}
    return {"padding": size // 2} if size % 2 else {"padding": 0, "ceil_mode": True}


def layer(keras: dict[str, Any], classes: int, flat: bool) -> list[nn.Module]:
    """Return the modules that do what a layer of Keras does; `flat` once there are no rows and columns left."""
    padding, bias = keras.get("padding", "valid"), keras.get("use_bias", True)
    activation: list[nn.Module] = [nn.ReLU(inplace=True)] if keras.get("activation") == "relu" else []
    match keras["class"]:
        case "Conv2D":
            size, stride = keras["kernel_size"], keras.get("strides", 1)
            margin: Any = padding if stride == 1 else window(size, padding)["padding"]
            return [nn.LazyConv2d(keras["filters"], size, stride, margin, bias=bias), *activation]
        case "MaxPooling2D":
            size = keras["pool_size"]
            return [nn.MaxPool2d(size, keras.get("strides", size), **window(size, padding))]
        case "Dense":
            units = classes if keras["units"] == "classes" else keras["units"]
            return [nn.LazyLinear(units, bias=bias), *activation]
        case "BatchNormalization":
            options = {"eps": keras.get("epsilon", 1e-3), "momentum": 1 - keras.get("momentum", 0.99)}
            return [nn.LazyBatchNorm1d(**options) if flat else nn.LazyBatchNorm2d(**options)]
        case "GlobalAveragePooling2D":
            return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        case "ReLU":
            return [nn.ReLU(inplace=True)]
        case "Flatten":
            return [nn.Flatten()]
        case "Dropout":
            return [nn.Dropout(keras["rate"])]
        case "Softmax":
            return []  # it is part of PyTorch's cross-entropy
    raise SystemExit(f"peer: no counterpart of Keras' layer {keras['class']}")


def build(recipe: dict[str, Any], classes: int, images: torch.Tensor) -> nn.Sequential:
    modules: list[nn.Module] = []
    for name in recipe["network"]:
        modules += layer(recipe["layers"][name], classes, any(isinstance(module, nn.Flatten) for module in modules))
    network = nn.Sequential(*modules)
    network(images)  # the lazy layers see how many channels come in
    return network.to(memory_format=torch.channels_last)


def epoch(
    network: nn.Module, optimizer: Any, images: torch.Tensor, labels: torch.Tensor, size: int, batch: int
) -> tuple[float, int]:
    """Train on the first `size` images, then assess the others; return the sum of losses, and how many came right."""
    loss_sum, right = torch.zeros(()), torch.zeros((), dtype=torch.long)
    network.train()
    for rows in torch.randperm(size).split(batch):
        x, y = images[rows].contiguous(memory_format=torch.channels_last), labels[rows]
        logits = network(x)
        loss = nn.functional.cross_entropy(logits, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss_sum += loss.detach() * len(rows)
        right += (logits.argmax(1) == y).sum()
    network.eval()
    with torch.inference_mode():
        for x, y in zip(images[size:].split(BATCH), labels[size:].split(BATCH)):
            right += (network(x).argmax(1) == y).sum()
    return float(loss_sum), int(right)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--processed", type=Path, default=ROOT / "data/processed")
    options = parser.parse_args()
    recipe = YAML(typ="safe").load(ROOT / "params.yaml")["recipes"][options.recipe]
    try:
        arrays = [np.load(options.processed / f"train_{kind}.npy") for kind in ("images", "labels")]
    except FileNotFoundError as error:
        raise SystemExit(f"{error.filename}: not there; run `make repro` first") from None
    images, labels = torch.from_numpy(arrays[0]).permute(0, 3, 1, 2), torch.from_numpy(arrays[1].argmax(axis=1))
    size, batch = int(len(images) * (1 - recipe["validation_split"])), recipe["batch_size"]
    network = build(recipe, arrays[1].shape[1], images[:batch])
    optimizer = getattr(torch.optim, recipe["optimizer"]["class"])(network.parameters(), lr=1e-3, fused=True)
    epoch(network, optimizer, images[:batch], labels[:batch], batch, batch)  # one step to warm up
    wall, cpu = [], []
    for _ in range(options.epochs):
        wall_began, cpu_began = time.perf_counter(), time.process_time()
        _, right = epoch(network, optimizer, images, labels, size, batch)
        wall.append(time.perf_counter() - wall_began)
        cpu.append(time.process_time() - cpu_began)
    figures = {"epoch_wall_seconds": statistics.median(wall), "epoch_cpu_seconds": statistics.median(cpu)}
    print(json.dumps({**figures, "accuracy": right / len(images), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
