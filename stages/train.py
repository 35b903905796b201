"""Training arrays and the selected recipe -> models/network.keras, its log, its learning curves."""

import shutil
import sys
import tempfile
from pathlib import Path

from dvclive import Live
from tqdm import tqdm

from digits import arrays, checkpoint, determinism, output, training
from digits import network as networks
from digits.checkpoint import Checkpoint, Progress
from digits.params import Params, Recipe

LOG = Path("models/training.log")
CURVES = Path("reports/training")
ARRAYS = ("train_images", "train_labels")
FEW = 50  # steps, which teach next to nothing


def recipe_of(params: Params) -> Recipe:
    """The selected recipe; the share that `train` holds out, if any, takes the place of its own."""
    share = params.train.validation_split
    if share is None:
        return params.selected
    return params.selected.model_copy(update={"validation_split": share})


def settings(params: Params) -> dict[str, object]:
    """All parameters that the training follows from, by name, and the versions of libraries."""
    recipe = recipe_of(params).model_dump(by_alias=True, exclude_unset=True)
    return {
        "recipe": params.recipe,
        # all of it, but for what is in `recipe`: else a training goes on under another value
        **params.train.model_dump(exclude={"validation_split"}),
        **recipe,
        "threads": params.threads,
        "replicas": params.replicas,
        "instructions": params.instructions,
        "versions": params.environment.model_dump(include={"keras", "numpy", "tensorflow"}),
    }


def fingerprint(chosen: dict[str, object]) -> str:
    """Name what the training follows from: settings, arrays, and all of our own code."""
    inputs = [arrays.PROCESSED / f"{name}.npy" for name in ARRAYS]
    own = [name for name in sys.modules if name.startswith("digits.")]
    code = [Path(str(sys.modules[name].__file__)) for name in sorted([*own, __name__])]
    return checkpoint.fingerprint(chosen, [*inputs, *code])


def words(value: object) -> str:
    """A setting as the log has it: a number, or a mapping as its class, its keys and values."""
    if isinstance(value, float):
        return f"{value:.12g}"
    if not isinstance(value, dict):
        return str(value)
    name = [value["class"]] if "class" in value else []
    pairs = [f"{key} {words(inner)}" for key, inner in value.items() if key != "class"]
    return ", ".join(name + pairs)


def amounts(job: training.Training) -> str:
    return f"{len(job.images):,} to train on, {len(job.held_out_images):,} held out"


def head(chosen: dict[str, object], job: training.Training) -> str:
    """What the log begins with: the settings, and the layers. digits/report.py reads it."""
    shown = {"images": amounts(job), **chosen}
    lines = [f"{key}: {words(shown[key])}" for key in shown if key not in ("network", "layers")]
    return "\n".join([*lines, "", networks.describe(job.network), ""])


def record(live: Live, log: list[str], epoch: int, epochs: int, found: training.Metrics) -> None:
    """Write the metrics of an epoch to the learning curves, to the log and to the terminal."""
    live.step = epoch
    for name, value in found.items():
        live.log_metric(name, round(value, 6))
    live.make_summary()
    values = "  ".join(f"{name} {value:.4f}" for name, value in found.items())
    line = f"epoch {epoch}/{epochs}  {values}"  # tools/experiment.py reads it
    log.append(line)
    publish(live, log)
    tqdm.write(line)


def publish(live: Live, log: list[str]) -> None:
    """Show how far the training is, in whole files."""
    with output.beside(CURVES) as partial:
        shutil.copytree(live.dir, partial)
    output.write_text(LOG, "\n".join(log) + "\n")


def announce(progress: Progress, job: training.Training, params: Params) -> None:
    """Say what is trained or, of a training that goes on, where, whose it is, and since when."""
    what = f"recipe {params.recipe}, seed {params.train.seed}"
    if not progress.step:
        epochs = f"{job.epochs} epoch{'s' if job.epochs > 1 else ''}"
        steps = f"{job.steps} step{'s' if job.steps > 1 else ''}"
        tqdm.write(f"trains {what}: {epochs}, {steps}")
        tqdm.write(f"images: {amounts(job)}")
        if job.steps < FEW:
            tqdm.write("looks wrong: so few steps teach next to nothing; recipe own counts steps")
        return
    tqdm.write(
        f"goes on from step {progress.step} of {job.steps}: {what}, saved {progress.saved} in "
        f"{progress.folder}"
    )


def main(params: Params) -> None:
    images, labels = map(arrays.read, ARRAYS)
    determinism.pin(params.threads, params.instructions)
    recipe, seed = recipe_of(params), params.train.seed
    if not training.split(len(images), recipe.validation_split):
        own = params.train.validation_split is None
        place = f"recipes.{params.recipe}.validation_split" if own else "train.validation_split"
        raise SystemExit(
            f"params.yaml: {place}: expected to leave an image to train on, found none of "
            f"{len(images)}"
        )
    try:
        job = training.Training(images, labels, recipe, seed, params.replicas)
    except networks.Unfit as error:
        raise SystemExit(f"params.yaml: recipes.{params.recipe}.{error}") from None
    chosen = settings(params)
    state = Checkpoint(fingerprint(chosen), job.trainer.variables)
    progress = state.restore()

    log = [head(chosen, job)]
    announce(progress, job, params)
    with tempfile.TemporaryDirectory() as scratch:
        folder = f"{scratch}/training"
        with Live(folder, dvcyaml=None, save_dvc_exp=False, monitor_system=False) as live:
            publish(live, log)

            def report(epoch: int, found: training.Metrics) -> None:
                record(live, log, epoch, job.epochs, found)

            for epoch, found in enumerate(progress.history, start=1):
                report(epoch, found)
            job.run(state, progress, report)
        # where nothing is held out, its curves are empty: `plots` in dvc.yaml names them
        for name in progress.history[-1]:
            Path(folder, f"plots/metrics/val_{name.removeprefix('val_')}.tsv").touch()
        publish(live, log)
    networks.save(job.network, networks.FILE)
    state.finish(networks.FILE)
