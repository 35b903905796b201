"""The state of a training <-> a file outside the project, so that an interrupted one goes on.

The file's name is the fingerprint of all that the training follows from: what goes on ends in the
same bytes. It lies in the folder that the environment variable CHECKPOINTS names, or in the user's
cache, where temporary checkouts such as those of `dvc exp run --temp` find it too. It stays until
DVC has recorded the trained network, which is when evaluate begins.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from tqdm import tqdm

CACHE = platformdirs.user_cache_path("mnist-dvc") / "checkpoints"
FOLDER = Path(os.environ.get("CHECKPOINTS") or CACHE)
SECONDS = 15  # between two checkpoints: the training that a kill may cost
SHARE = 0.02  # of the time that saving may take: slow checkpoints come less often
ABANDONED = 7 * 24 * 60 * 60  # seconds after which a checkpoint is removed
DIGEST = 32  # bytes of SHA-256, before the state
# of a file of ours: while it is written, while it trains, and once its network is saved
NAME = re.compile(r"(partial-\d+-)?[0-9a-f]{64}(-[0-9a-f]{64})?")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(values: dict[str, Any], files: Iterable[Path]) -> str:
    """Name what follows from these values and the contents of these files."""
    text = json.dumps([values, [sha256(file) for file in files]])
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Progress:
    """How far a training is: its steps, the metrics of each whole epoch, and who saved it when."""

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    folder: str = ""
    saved: str = ""


class Checkpoint:
    """Saves and restores the variables of a training, and its progress."""

    def __init__(self, fingerprint: str, variables: list[Any]) -> None:
        self.fingerprint = fingerprint
        self.variables = variables
        self.path = FOLDER / fingerprint
        self.saved = 0  # the step of the last checkpoint
        self.due = time.monotonic() + SECONDS
        remove_abandoned()

    def digest(self, state: bytes) -> bytes:
        return hashlib.sha256(self.fingerprint.encode() + state).digest()

    def save(self, step: int, history: list[dict[str, float]]) -> None:
        """Replace the last checkpoint; where that fails, say so and go on."""
        began = time.monotonic()
        progress = Progress(step, history, str(Path.cwd()), time.strftime("%Y-%m-%d %H:%M:%S"))
        buffer = io.BytesIO()
        arrays = [variable.numpy() for variable in self.variables]
        np.savez(buffer, *arrays, progress=json.dumps(vars(progress)))
        state = buffer.getvalue()
        partial = self.path.with_name(f"partial-{os.getpid()}-{self.path.name}")
        try:
            FOLDER.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(self.digest(state) + state)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(self.path)
            self.saved = step
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            tqdm.write(f"{partial}: {error.strerror}; the training goes on without this checkpoint")
        end = time.monotonic()
        self.due = end + max(SECONDS, (end - began) / SHARE)

    def restore(self) -> Progress:
        """Give the variables the state last saved, if there is one; return how far it was."""
        # Also one of a whole training, whose network DVC did not get to record: see `finish`.
        for path in FOLDER.glob(f"{self.fingerprint}*"):
            try:
                data = path.read_bytes()
            except FileNotFoundError:  # another training has finished with it
                continue
            except OSError as error:
                tqdm.write(f"{path}: ignored: {error.strerror}")
                continue
            if data[:DIGEST] != self.digest(data[DIGEST:]):
                tqdm.write(f"{path}: ignored, because it is damaged or belongs to another training")
                continue
            state = np.load(io.BytesIO(data[DIGEST:]), allow_pickle=False)
            for i, variable in enumerate(self.variables):
                variable.assign(state[f"arr_{i}"])
            progress = Progress(**json.loads(str(state["progress"])))
            self.path = path
            self.saved = progress.step
            return progress
        return Progress()

    def finish(self, network: Path) -> None:
        """Mark the checkpoint as that of a saved network, so that `forget` finds it."""
        with contextlib.suppress(OSError):
            self.path.rename(FOLDER / f"{self.fingerprint}-{sha256(network)}")


def remove_abandoned() -> None:
    """Remove the checkpoints of trainings that nobody went on with; the folder may hold others."""
    for path in FOLDER.glob("*"):
        with contextlib.suppress(OSError):  # another training may be removing it
            old = time.time() - path.stat().st_mtime > ABANDONED
            if old and NAME.fullmatch(path.name):
                path.unlink()


def forget(network: Path) -> None:
    """Remove the checkpoint of a network that DVC has recorded."""
    for path in FOLDER.glob(f"*-{sha256(network)}"):
        with contextlib.suppress(OSError):  # that of another user, with whom the folder is shared
            path.unlink()
