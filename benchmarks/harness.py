"""What the benchmarks share: the machine in a line, what a command costs, and tables."""

import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML
from tqdm import tqdm

from tools import verify

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
SAMPLING_SECONDS = 0.02
LIBRARIES = ["dvc", "keras", "tensorflow-cpu", "tensorflow", "numpy"]
HEADER = ["what", "measure", "runs", "median", "least", "most", "ratio", "baseline"]

Figures = dict[str, float]


@dataclass
class Cost:
    """What a command took, its children included, and what it printed."""

    wall_seconds: float
    cpu_seconds: float  # user and system
    memory_mb: float  # the most anonymous memory that was seen at once, if it was watched
    printed: str


def machine() -> str:
    """Processor, cores and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processor, *_ = verify.machine()
    cores = len(os.sched_getaffinity(0))
    return f"{processor}, {cores} cores, {memory:.0f} GiB"


def versions() -> str:
    """System, Python and libraries."""
    words = [platform.system(), f"Python {platform.python_version()}"]
    for library in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            words.append(f"{library} {importlib.metadata.version(library)}")
    return ", ".join(words)


# --- parameters ---


def params(root: Path = ROOT) -> dict[str, Any]:
    """params.yaml as it stands."""
    return YAML(typ="safe").load(root / "params.yaml")


def change(root: Path, *overrides: str) -> None:
    """Set parameters of a checkout, written as for `dvc exp run -S`."""
    apply_overrides(root / "params.yaml", list(overrides))


def as_options(*overrides: str) -> list[str]:
    """The words that hand such overrides to benchmarks.fit."""
    return [word for override in overrides for word in ("-S", override)]


# --- what a command costs ---


def tree(pid: int) -> Iterator[int]:
    """Yield a process and those that it started and that still run."""
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in file.read_text().split():
            yield from tree(int(child))


def anonymous_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


class Peak:
    """The most anonymous memory, in MB, that a process and its children have at once."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.kb = 0
        self.done = threading.Event()
        threading.Thread(target=self.sample, daemon=True).start()

    def sample(self) -> None:
        while not self.done.wait(SAMPLING_SECONDS):
            with contextlib.suppress(OSError):  # a process ended while it was looked at
                self.kb = max(self.kb, sum(map(anonymous_kb, tree(self.pid))))

    def end(self) -> float:
        self.done.set()
        return self.kb / 1024


def run(
    *command: str | Path,
    cwd: Path = ROOT,
    watch: bool = False,
    own: Mapping[str, str] | None = None,
) -> Cost:
    """Run a program to its end, with environment variables of its own, and watch its memory.

    SystemExit with its last line where it fails.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        env = {**os.environ, **(own or {})}
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=out, stderr=err)
        peak = Peak(process.pid) if watch else None
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        memory = peak.end() if peak else 0.0
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            said = (err.read().strip() or out.read().strip() or "it said nothing").splitlines()
            words = " ".join(map(str, command))
            raise SystemExit(f"{words}: status {process.returncode}: {said[-1]}")
        return Cost(wall, usage.ru_utime + usage.ru_stime, memory, out.read())


def figures(*command: str) -> Figures:
    """Run a program; return what its last line, JSON, says."""
    return json.loads(run(*command).printed.splitlines()[-1])


def in_turn(tasks: Mapping[str, Callable[[], Figures]], rounds: int) -> dict[str, list[Figures]]:
    """Measure all tasks once a round, in the same order.

    So what else the machine does falls on all alike.
    """
    runs: dict[str, list[Figures]] = {name: [] for name in tasks}
    with tqdm(total=rounds * len(tasks), unit=" runs") as bar:
        for _ in range(rounds):
            for name, task in tasks.items():
                bar.set_description(name)
                runs[name].append(task())
                bar.update()
    return runs


# --- tables ---


def spread(values: list[float]) -> list[str]:
    """Median, least and most."""
    return [f"{value:.4g}" for value in (statistics.median(values), min(values), max(values))]


def compare(runs: dict[str, list[Figures]], baseline: str) -> list[list[object]]:
    """Return a row (as HEADER says) for each task and measure.

    A ratio is the median of the rounds' own ratios.
    """
    rows: list[list[object]] = []
    for name, found in runs.items():
        for measure in found[0]:
            values = [each[measure] for each in found]
            ratios = [value / other[measure] for value, other in zip(values, runs[baseline])]
            ratio = f"{statistics.median(ratios):.3f}"
            rows.append([name, measure, len(values), *spread(values), ratio, baseline])
    return rows


def publish(
    name: str, header: list[str], rows: list[list[object]], where: str | None = None
) -> None:
    """Print a table and where it comes from, and write both to benchmarks/results/NAME.md."""
    cells = [header, *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = []
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths)]
        lines.append("| " + " | ".join(padded) + " |")
    lines.insert(1, "|" + " --- |" * len(header))
    text = "\n".join([*lines, "", where or f"{machine()}, {versions()}"])
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text + "\n")


# --- a project to measure in ---


@contextlib.contextmanager
def clone(train: int, test: int, epochs: int) -> Iterator[Path]:
    """The last commit in a temporary folder, with so many synthetic digits and epochs."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "project")
        subprocess.run(["git", "clone", "--quiet", ROOT, root], check=True)
        digits = ["download.dataset=synthetic"]
        digits += [f"datasets.synthetic.train={train}", f"datasets.synthetic.test={test}"]
        recipes = params(root)["recipes"].items()
        lengths = [f"recipes.{name}.epochs={epochs}" for name, own in recipes if "epochs" in own]
        change(root, *digits, *lengths)
        yield root
