"""The data set that params.yaml names -> data/raw: four IDX files."""

import shutil
from pathlib import Path

from tqdm import tqdm

from digits import fetch, idx, synthetic
from digits.params import Params

RAW = Path("data/raw")
PARTIAL = RAW / ".partial"


def draw(split: str, count: int, seed: int) -> None:
    """Write `count` synthetic digits and their labels to two IDX files."""
    images_path, labels_path = (PARTIAL / idx.FILES[split, kind] for kind in ("images", "labels"))
    number = ("train", "test").index(split)
    with (
        idx.create(images_path, (count, synthetic.SIDE, synthetic.SIDE)) as images,
        idx.create(labels_path, (count,)) as labels,
        tqdm(total=count, desc=f"drawing {split}", unit=" digits", disable=None) as bar,
    ):
        for pixels, digits in synthetic.draw(count, seed, number):
            images.write(pixels.tobytes())
            labels.write(digits.tobytes())
            bar.update(len(digits))


def obtain(params: Params) -> None:
    """Put the four files of the data set that is asked for into PARTIAL."""
    dataset, own = params.download.dataset, params.datasets
    if dataset == "synthetic":
        draw("train", own.synthetic.train, own.synthetic.seed)
        draw("test", own.synthetic.test, own.synthetic.seed)
    elif dataset == "folder":
        fetch.from_folder(Path(own.folder.path), PARTIAL)
    elif dataset == "url":
        fetch.from_url(own.url.base, PARTIAL)
    else:
        fetch.published(dataset, PARTIAL)


def main(params: Params) -> None:
    """Let the four files take the place of those of an earlier run once all are right."""
    shutil.rmtree(PARTIAL, ignore_errors=True)
    PARTIAL.mkdir(parents=True)
    try:
        obtain(params)
        for old in filter(Path.is_file, RAW.iterdir()):
            old.unlink()
        for new in PARTIAL.iterdir():
            new.rename(RAW / new.name)
    finally:
        shutil.rmtree(PARTIAL, ignore_errors=True)
