"""A training's state <-> a file outside the project, so that what was interrupted goes on and ends in the same bytes.

The file's name is the fingerprint of all that the training follows from. It lies in the environment variable
CHECKPOINTS, or in the user's cache folder, where temporary checkouts such as those of `dvc exp run --temp` find it too.
It stays until DVC has recorded the trained network, which is when evaluate begins.
"""

import contextlib
import hashlib
import io
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from tqdm import tqdm

FOLDER = Path(os.environ.get("CHECKPOINTS") or platformdirs.user_cache_path("mnist-dvc") / "checkpoints")
SECONDS = 15  # the training that a kill may cost,
SHARE = 0.02  # unless checkpoints are so large that they would take more than this share of the time
ABANDONED = 7 * 24 * 60 * 60  # seconds


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(values: list, files: Iterable[Path]) -> str:
    """Name what follows from these values and the contents of these files."""
    return hashlib.sha256(json.dumps([values, [sha256(file) for file in files]]).encode()).hexdigest()


class Checkpoint:
    """The variables of a training, the number of steps it took, and the figures of each epoch that it finished."""

    def __init__(self, fingerprint: str, variables: list[Any]) -> None:
        self.fingerprint, self.variables = fingerprint, variables
        self.path, self.saved, self.due = FOLDER / fingerprint, 0, time.monotonic() + SECONDS
        for path in FOLDER.glob("*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()

    def digest(self, state: bytes) -> bytes:
        return hashlib.sha256(self.fingerprint.encode() + state).digest()

    def save(self, steps: int, history: list[dict[str, float]]) -> None:
        """Write the state beside the last one, then replace that; where it cannot be written, say so and go on."""
        began = time.monotonic()
        buffer = io.BytesIO()
        np.savez(buffer, *(variable.numpy() for variable in self.variables), progress=json.dumps([steps, history]))
        partial = self.path.with_name(f"partial-{os.getpid()}-{self.path.name}")
        try:
            FOLDER.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(self.digest(buffer.getvalue()) + buffer.getvalue())
                file.flush()
                os.fsync(file.fileno())
            partial.rename(self.path)
            self.saved = steps
        except OSError as error:
            tqdm.write(f"{partial}: {error.strerror}; the training goes on without this checkpoint")
        end = time.monotonic()
        self.due = end + max(SECONDS, (end - began) / SHARE)

    def restore(self) -> tuple[int, list[dict[str, float]]]:
        """Give the variables the state last saved; return its steps and history, 0 and [] where there is none."""
        for path in FOLDER.glob(f"{self.fingerprint}*"):
            data = path.read_bytes()
            if data[:32] == self.digest(data[32:]):
                state = np.load(io.BytesIO(data[32:]), allow_pickle=False)
                for i, variable in enumerate(self.variables):
                    variable.assign(state[f"arr_{i}"])
                self.path, (self.saved, history) = path, json.loads(str(state["progress"]))
                return self.saved, history
            tqdm.write(f"{path}: ignored, because it is damaged or belongs to another training")
        return 0, []

    def finish(self, network: Path) -> None:
        """Mark the checkpoint as that of a saved network, so that `forget` finds it."""
        with contextlib.suppress(OSError):
            self.path.rename(FOLDER / f"{self.fingerprint}-{sha256(network)}")


def forget(network: Path) -> None:
    """Remove the checkpoint of a network that DVC has recorded."""
    for path in FOLDER.glob(f"*-{sha256(network)}"):
        path.unlink(missing_ok=True)
