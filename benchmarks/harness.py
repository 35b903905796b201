"""What the benchmarks share: the machine in a line, what a command costs, several in turn, and the table of it all."""

import contextlib
import importlib.metadata
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

from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML
from tqdm import tqdm

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
    """Processor, cores, memory, system and versions."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.split(": ")[1] for line in info if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    words = [processor, f"{len(os.sched_getaffinity(0))} cores", f"{memory:.0f} GiB", platform.system()]
    words.append(f"Python {platform.python_version()}")
    for library in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            words.append(f"{library} {importlib.metadata.version(library)}")
    return ", ".join(words)


def tree(pid: int) -> Iterator[int]:
    """Yield a process and those that it started and that still run."""
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in file.read_text().split():
            yield from tree(int(child))


def anonymous_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def run(*command: str | Path, cwd: Path = ROOT, watch: bool = False, own: Mapping[str, str] | None = None) -> Cost:
    """Run a program to its end, with environment variables of its own; SystemExit with its last line where it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        peak, done, began = 0, threading.Event(), time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **(own or {})}, stdout=out, stderr=err)

        def sample() -> None:
            nonlocal peak
            while not done.wait(SAMPLING_SECONDS):
                with contextlib.suppress(OSError):  # a process ended while it was looked at
                    peak = max(peak, sum(map(anonymous_kb, tree(process.pid))))

        sampler = threading.Thread(target=sample, daemon=True)
        if watch:
            sampler.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        done.set()
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, err):
            file.seek(0)
        if process.returncode:
            last = (err.read().strip() or out.read().strip() or "it said nothing").splitlines()[-1]
            raise SystemExit(f"{' '.join(map(str, command))}: status {process.returncode}: {last}")
        return Cost(wall, usage.ru_utime + usage.ru_stime, peak / 1024, out.read())


def in_turn(tasks: Mapping[str, Callable[[], Figures]], rounds: int) -> dict[str, list[Figures]]:
    """Measure all tasks once a round, in the same order, so that what else the machine does falls on all alike."""
    runs: dict[str, list[Figures]] = {name: [] for name in tasks}
    with tqdm(total=rounds * len(tasks), unit=" runs") as bar:
        for _ in range(rounds):
            for name, task in tasks.items():
                bar.set_description(name)
                runs[name].append(task())
                bar.update()
    return runs


def compare(runs: dict[str, list[Figures]], baseline: str) -> list[list[object]]:
    """Return a row (as HEADER says) for each task and measure; a ratio is the median of the rounds' own ratios."""
    rows: list[list[object]] = []
    for name, figures in runs.items():
        for measure in figures[0]:
            values = [each[measure] for each in figures]
            ratios = [value / other[measure] for value, other in zip(values, runs[baseline])]
            spread = [f"{value:.4g}" for value in (statistics.median(values), min(values), max(values))]
            rows.append([name, measure, len(values), *spread, f"{statistics.median(ratios):.3f}", baseline])
    return rows


def publish(name: str, header: list[str], rows: list[list[object]]) -> None:
    """Print a table and the machine, and write both to benchmarks/results/NAME.md."""
    cells = [header, *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + " --- |" * len(header))
    print("\n".join([*lines, "", machine()]))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text("\n".join([*lines, "", machine(), ""]))


@contextlib.contextmanager
def clone(train: int, test: int, epochs: int) -> Iterator[Path]:
    """The last commit in a temporary folder, with so many synthetic digits, and so many epochs in each recipe."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "project")
        subprocess.run(["git", "clone", "--quiet", ROOT, root], check=True)
        recipes = YAML(typ="safe").load(root / "params.yaml")["recipes"]
        digits = ["download.dataset=synthetic", f"datasets.synthetic.train={train}", f"datasets.synthetic.test={test}"]
        change(root, *digits, *(f"recipes.{recipe}.epochs={epochs}" for recipe in recipes))
        yield root


def change(root: Path, *overrides: str) -> None:
    """Set parameters of a checkout, written as for `dvc exp run -S`."""
    apply_overrides(root / "params.yaml", list(overrides))
