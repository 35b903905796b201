"""The original write-up's notebook as it stands, in today's Keras: the baseline. One JSON line: what its fit cost.

The one change: the data set comes from data/raw, not from keras.datasets. All settings are the libraries' own.
`python -m benchmarks.notebook [SEED]`
"""

import json
import sys
import time

from stages import preprocess

import keras
import numpy as np


def load(split: str) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images (N, H, W) and labels (N,)."""
    if not preprocess.RAW.is_dir():
        raise SystemExit(f"{preprocess.RAW}: not there; run `make repro` first")
    _, images, labels = preprocess.read(split)
    return np.concatenate(list(images)), labels


def build() -> keras.Sequential:
    layers = keras.layers
    network = [keras.Input((28, 28, 1))]
    for filters in (16, 36):
        network.append(layers.Conv2D(filters, 5, padding="same"))
        network.append(layers.MaxPooling2D(2, padding="same"))
        network.append(layers.ReLU())
    return keras.Sequential([*network, layers.Flatten(), layers.Dense(128), layers.Dense(10), layers.Softmax()])


def main(seed: str | None = None) -> None:
    (train_images, train_labels), (test_images, test_labels) = load("train"), load("test")
    x, test_x = (images.reshape(-1, 28, 28, 1).astype("float32") / 255 for images in (train_images, test_images))
    y, test_y = (keras.utils.to_categorical(labels, 10) for labels in (train_labels, test_labels))
    if seed:
        keras.utils.set_random_seed(int(seed))
    model = build()
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(x, y, batch_size=128, epochs=5, validation_split=0.33)
    figures = {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    print("\n" + json.dumps({**figures, "accuracy": model.evaluate(test_x, test_y, verbose=0)[1]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
