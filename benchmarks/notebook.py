"""The blog post's notebook as it stands, in today's Keras: the baseline. One JSON line.

It says what the notebook's `fit` cost. The one change: the data set comes from data/idx, not from
keras.datasets. All settings are the libraries' own.
`python -m benchmarks.notebook [SEED]`
"""

import json
import sys
import time

import keras
import numpy as np

from digits import idx
from stages import preprocess


def load(split: str) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images (N, H, W) and labels (N,)."""
    if not idx.FOLDER.is_dir():
        raise SystemExit(f"{idx.FOLDER}: not there; run `make repro` first")
    found = preprocess.read(split)
    return np.asarray(found.images), found.labels


def prepare(split: str) -> tuple[np.ndarray, np.ndarray]:
    """float32 images (N, H, W, 1) in [0, 1] and one-hot labels (N, 10)."""
    images, labels = load(split)
    x = images.reshape(-1, 28, 28, 1).astype("float32") / 255
    return x, keras.utils.to_categorical(labels, 10)


def build() -> keras.Sequential:
    layers = keras.layers
    network = [keras.Input((28, 28, 1))]
    for filters in (16, 36):
        network.append(layers.Conv2D(filters, 5, padding="same"))
        network.append(layers.MaxPooling2D(2, padding="same"))
        network.append(layers.ReLU())
    network += [layers.Flatten(), layers.Dense(128), layers.Dense(10), layers.Softmax()]
    return keras.Sequential(network)


def main(seed: str | None = None) -> None:
    x, y = prepare("train")
    test_x, test_y = prepare("test")
    if seed:
        keras.utils.set_random_seed(int(seed))
    model = build()
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(x, y, batch_size=128, epochs=5, validation_split=0.33)
    figures = {
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
    }
    figures["accuracy"] = model.evaluate(test_x, test_y, verbose=0)[1]
    print("\n" + json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
