"""models/network.keras -> models/network.tflite, for LiteRT on phones and small devices, checked.

The names of its classes, one a line, are in models/classes.txt. Both that and what goes in and out
are also in the file itself, which is a zip archive at its end, as LiteRT's associated files are.

Both networks classify every test image; nothing is written where they disagree in one. Test-time
augmentation is no part of the exported network.
"""

import argparse
import json
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools import dvc_lock

if TYPE_CHECKING:
    import numpy as np

    from digits.network import Forward
    from digits.preparation import Preparation


def load_exported(path: Path) -> "Forward":
    """The exported network, run by TensorFlow: images (n, H, W, C) -> probabilities (n, K)."""
    from digits.determinism import tf

    with warnings.catch_warnings(action="ignore"):  # another package will take its place
        interpreter = tf.lite.Interpreter(str(path))
    [images] = interpreter.get_input_details()
    [probabilities] = interpreter.get_output_details()

    def forward(batch: "np.ndarray") -> "np.ndarray":
        interpreter.resize_tensor_input(images["index"], batch.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(images["index"], batch)
        interpreter.invoke()
        return interpreter.get_tensor(probabilities["index"])

    return forward


def compare(
    trained: "Forward", exported: "Forward", images: "np.ndarray", labels: "np.ndarray"
) -> tuple[int, int, float]:
    """How many images get the same class, how many their own, and the most a probability differs.

    Images are (N, H, W, C), labels (N,); "their own" is what the exported network gives.
    """
    from digits.network import in_batches

    same, right, end, largest = 0, 0, 0, 0.0
    for batch in in_batches(images):
        start, end = end, end + len(batch)
        ours, theirs = trained(batch).numpy(), exported(batch)
        classes = theirs.argmax(axis=1)
        same += int((classes == ours.argmax(axis=1)).sum())
        right += int((classes == labels[start:end]).sum())
        largest = max(largest, float(abs(ours - theirs).max()))
    return same, right, largest


def describe(exported: Path, data: "Preparation") -> None:
    """Put what goes in and out at the end of the file, which a reader of networks ignores."""
    scale = "0 is paper, 1 is ink" if data.search else "0 is black, 1 is white"
    about: dict[str, str] = {
        "input": f"float32 (n, {data.height}, {data.width}, {data.channels}); {scale}",
        "output": f"float32 (n, {len(data.classes)}): the probabilities of the classes",
    }
    if data.search:
        about["placing"] = "ink fills a box of 20/28 of the sides; its centre of mass is the middle"
    else:
        about["input"] += ", of the picture's negative" if data.inverted else ""
        about["input"] += ", in red, green and blue" if data.channels == 3 else ""
        about["placing"] = (
            "the whole picture, upright, in its proportions, in the middle; the rest has the "
            "median colour of its border"
        )
    classes = "\n".join(data.classes) + "\n"
    with zipfile.ZipFile(exported, "a") as archive:
        # without a date, so that the same network gives the same bytes
        archive.writestr(zipfile.ZipInfo("classes.txt"), classes)
        archive.writestr(zipfile.ZipInfo("about.json"), json.dumps(about, indent=1) + "\n")


def export() -> None:
    from digits import arrays, determinism, network, output, params, preparation  # late: TensorFlow

    values = params.read()
    determinism.pin(values.threads, values.instructions)
    trained = network.load(network.FILE)
    if dvc_lock.is_another(network.FILE):
        found = "that of another run; to get it: dvc checkout"
        raise SystemExit(f"{network.FILE}: expected the network of dvc.lock, found {found}")
    images, labels = arrays.read("test_images"), arrays.read("test_labels").argmax(axis=1)
    data = preparation.read()
    exported = network.FILE.with_suffix(".tflite")
    forward = network.forward(trained, values.replicas)
    with output.beside(exported) as partial:
        trained.export(partial, format="litert", verbose=False)
        describe(partial, data)
        with determinism.errors_held_back():  # LiteRT's remarks on how it computes
            same, right, largest = compare(forward, load_exported(partial), images, labels)
        said = f"{same:,} of {len(images):,} test images get the class of {network.FILE}"
        if same < len(images):
            raise SystemExit(f"export: with the exported network {said}: nothing written")
    output.write_text(exported.with_name("classes.txt"), "\n".join(data.classes) + "\n")
    print(f"{exported}: {said}, with probabilities within {largest:.0e}")
    print(f"test accuracy, without test-time augmentation: {100 * right / len(images):.2f} %")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.export", description=__doc__)
    parser.parse_args()
    try:
        export()
    except FileNotFoundError as error:
        raise SystemExit(f"{error.filename or 'models'}: not there; run dvc repro") from None


if __name__ == "__main__":
    main()
