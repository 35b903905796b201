"""make export: models/network.keras -> models/network.tflite, for LiteRT on phones and small devices, checked.

Both are asked what they read in every test image; nothing is written where they disagree in one. The views at the test
are no part of it.
"""

import warnings
from pathlib import Path

from digits import arrays
from digits import network as networks
from stages import evaluate, validate

import numpy as np
import tensorflow as tf

EXPORTED = evaluate.MODEL.with_suffix(".tflite")


def lite(path: Path) -> networks.Forward:
    """The exported network, run by TensorFlow's own interpreter: images (n, H, W, 1) -> probabilities (n, K)."""
    with warnings.catch_warnings(action="ignore"):  # another package will take its place
        interpreter = tf.lite.Interpreter(str(path))
    [images], [probabilities] = interpreter.get_input_details(), interpreter.get_output_details()

    def forward(batch: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(images["index"], batch.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(images["index"], batch)
        interpreter.invoke()
        return interpreter.get_tensor(probabilities["index"])

    return forward


def main() -> None:
    params = validate.read()
    networks.pin(params["threads"], params["instructions"])
    network, images = networks.load(evaluate.MODEL), arrays.read("test_images")
    partial = EXPORTED.with_name(f"partial-{EXPORTED.name}")
    network.export(partial, format="litert", verbose=False)
    forward, exported = networks.forward(network, params["replicas"]), lite(partial)
    agree, most = 0, 0.0
    for start in range(0, len(images), networks.BATCH):
        batch = images[start : start + networks.BATCH]
        one, other = forward(tf.constant(batch)).numpy(), exported(batch)
        agree += int((one.argmax(axis=1) == other.argmax(axis=1)).sum())
        most = max(most, float(abs(one - other).max()))
    said = f"reads {agree:,} of {len(images):,} test images as {evaluate.MODEL} does, probabilities within {most:.0e}"
    if agree < len(images):
        partial.unlink()
        raise SystemExit(f"export: the exported network {said}: nothing written")
    partial.rename(EXPORTED)
    print(f"{EXPORTED}: {said}")


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:
        raise SystemExit(f"{error.filename or evaluate.MODEL}: not there; run dvc repro") from None
