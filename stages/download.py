"""The data set that params.yaml names -> data/idx: four IDX files, and what they show."""

from pathlib import Path

from tqdm import tqdm

from digits import datasets, fetch, idx, output, synthetic
from digits.own.gather import gather
from digits.params import Params


def draw(target: Path, split: str, count: int, seed: int) -> None:
    """Write `count` synthetic digits and their labels to two IDX files."""
    images_path, labels_path = (target / idx.FILES[split, kind] for kind in ("images", "labels"))
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


def obtain(params: Params, target: Path) -> None:
    """Put the data set that is asked for into a folder."""
    dataset, source = params.download.dataset, params.datasets
    if dataset == "synthetic":
        draw(target, "train", source.synthetic.train, source.synthetic.seed)
        draw(target, "test", source.synthetic.test, source.synthetic.seed)
        idx.describe(target, dataset, datasets.DIGITS, own=False)
    elif dataset == "folder":
        folder = source.folder
        gather(Path(folder.path), target, folder.image_size, folder.colour, folder.test_share)
    elif dataset == "url":
        fetch.from_url(source.url.base, target)
        idx.describe(target, source.url.base.rstrip("/").rpartition("/")[2], None, own=True)
        print("Should the files there change: dvc repro --force download && dvc repro")
    else:
        fetch.published(dataset, target)
        idx.describe(target, dataset, datasets.PUBLISHED[dataset].classes, own=False)


def main(params: Params) -> None:
    with output.beside(idx.FOLDER) as target:
        target.mkdir()
        obtain(params, target)
