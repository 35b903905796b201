"""The network of a recipe in PyTorch, the peer: seconds per epoch, wall and CPU. One JSON line.

Same layers, optimizer, batch size and numbers of images; an epoch is, as in digits/training.py, the
training images in random order, then the held-out ones. Tensors in memory, channels last, fused
optimizer, PyTorch's own threads. Where padding is odd, PyTorch puts the odd pixel on the other
side, which costs the same. Augmentation and schedules of a recipe are left out. Runs with any
Python that has torch, numpy and PyYAML:
`python benchmarks/peer.py RECIPE [--epochs N] [--processed FOLDER]`
"""

import argparse
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

ROOT = Path(__file__).parents[1]
BATCH = 1000  # of held-out images


def window(size: int, padding: str) -> dict[str, Any]:
    """What makes the output as large as "same" does.

    Padding for an odd kernel, an end that may jut out for an even one.
    """
    if padding == "valid":
        return {"padding": 0}
    return {"padding": size // 2} if size % 2 else {"padding": 0, "ceil_mode": True}


def layer(keras: dict[str, Any], classes: int, flat: bool) -> list[nn.Module]:
    """The modules that do what a layer of Keras does.

    `flat`: there are no rows and columns left.
    """
    padding, bias = keras.get("padding", "valid"), keras.get("use_bias", True)
    activation: list[nn.Module] = []
    if keras.get("activation") == "relu":
        activation = [nn.ReLU(inplace=True)]
    match keras["class"]:
        case "Conv2D":
            size, stride = keras["kernel_size"], keras.get("strides", 1)
            margin: Any = padding if stride == 1 else window(size, padding)["padding"]
            convolution = nn.LazyConv2d(keras["filters"], size, stride, margin, bias=bias)
            return [convolution, *activation]
        case "MaxPooling2D":
            size = keras["pool_size"]
            return [nn.MaxPool2d(size, keras.get("strides", size), **window(size, padding))]
        case "Dense":
            units = classes if keras["units"] == "classes" else keras["units"]
            return [nn.LazyLinear(units, bias=bias), *activation]
        case "BatchNormalization":
            momentum = 1 - keras.get("momentum", 0.99)
            options = {"eps": keras.get("epsilon", 1e-3), "momentum": momentum}
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
        definition = recipe["layers"].get(name, {"class": name})
        flat = any(isinstance(module, nn.Flatten) for module in modules)
        modules += layer(definition, classes, flat)
    network = nn.Sequential(*modules)
    network(images)  # the lazy layers see how many channels come in
    return network.to(memory_format=torch.channels_last)


@dataclass
class Peer:
    """A network, its optimizer, images (N, C, H, W) and labels (N,)."""

    network: nn.Module
    optimizer: Any
    images: torch.Tensor
    labels: torch.Tensor

    def epoch(self, size: int, batch: int) -> None:
        """Train on the first `size` images, then assess the others; their metrics cost time too."""
        losses, right = torch.zeros(()), torch.zeros((), dtype=torch.long)
        self.network.train()
        for rows in torch.randperm(size).split(batch):
            x = self.images[rows].contiguous(memory_format=torch.channels_last)
            y = self.labels[rows]
            logits = self.network(x)
            loss = nn.functional.cross_entropy(logits, y)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            losses += loss.detach() * len(rows)
            right += (logits.argmax(1) == y).sum()
        self.network.eval()
        held_out = zip(self.images[size:].split(BATCH), self.labels[size:].split(BATCH))
        with torch.inference_mode():
            for x, y in held_out:
                right += (self.network(x).argmax(1) == y).sum()


def read(processed: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        images = np.load(processed / "train_images.npy")
        return images, np.load(processed / "train_labels.npy")
    except FileNotFoundError as error:
        raise SystemExit(f"{error.filename}: not there; run `make repro` first") from None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks/peer.py", description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--processed", type=Path, default=ROOT / "data/processed")
    options = parser.parse_args()
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    recipe = params["recipes"][options.recipe]
    x, y = read(options.processed)
    images, labels = torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y.argmax(axis=1))
    size, batch = int(len(images) * (1 - recipe["validation_split"])), recipe["batch_size"]
    network = build(recipe, y.shape[1], images[:batch])
    kind = getattr(torch.optim, recipe["optimizer"]["class"])
    optimizer = kind(network.parameters(), lr=1e-3, fused=True)
    Peer(network, optimizer, images[:batch], labels[:batch]).epoch(batch, batch)  # to warm up
    peer = Peer(network, optimizer, images, labels)
    wall, cpu = [], []
    for _ in range(options.epochs):
        wall_began, cpu_began = time.perf_counter(), time.process_time()
        peer.epoch(size, batch)
        wall.append(time.perf_counter() - wall_began)
        cpu.append(time.process_time() - cpu_began)
    figures = {
        "epoch_wall_seconds": statistics.median(wall),
        "epoch_cpu_seconds": statistics.median(cpu),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
