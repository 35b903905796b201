"""How far a network's probabilities can be believed: is an image like those that it was trained on?

A network names one of its classes with confidence, whatever it is shown. So an image is compared
with the training images of that class, in two ways: how near the fifth nearest of them is, by which
way its edges run, and of how many pieces its ink is. Where hardly any training image of the class
is as far, or in as many pieces, the confidence falls.
Sources: Sun, Ming, Zhu and Li, 2022, "Out-of-distribution detection with deep nearest neighbors";
Dalal and Triggs, 2005, "Histograms of oriented gradients for human detection".
"""

import cv2
import numpy as np

CELLS = 4  # along a side, in which edges are compared
CELL = 4  # pixels along a side of one
DIRECTIONS = 8  # of edges
SEEN = 20_000  # training images that are looked at: more take longer
ASKED = 2_000  # of a class, by which it is known what is usual
NEIGHBOUR = 5  # the nearest ones may be chance
RARE = 0.07  # of the training images are as odd: then the confidence begins to fall


def directions(images: np.ndarray) -> np.ndarray:
    """Images (n, H, W, 1) as vectors float32 (n, d) of length 1: which way edges run, and where.

    In each of 4 x 4 cells of an image, the sizes of its gradients are summed by their direction.
    """
    side = CELLS * CELL
    small = [cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in images]
    down, right = np.gradient(np.stack(small), axis=(1, 2))
    size = np.hypot(down, right)
    turn = np.arctan2(down, right) / (2 * np.pi) * DIRECTIONS
    sums = []
    for direction in range(DIRECTIONS):
        off = np.abs((turn - direction + DIRECTIONS / 2) % DIRECTIONS - DIRECTIONS / 2)
        own = size * np.maximum(0, 1 - off)
        sums.append(own.reshape(-1, CELLS, CELL, CELLS, CELL).sum(axis=(2, 4)))
    vectors = np.sqrt(np.stack(sums, axis=-1)).reshape(len(images), -1)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def pieces(images: np.ndarray) -> np.ndarray:
    """Of how many pieces (n,) the ink in images (n, H, W, 1) is."""
    masks = (images[..., 0] > 0.4).astype(np.uint8)
    return np.array([cv2.connectedComponents(mask)[0] - 1 for mask in masks])


def nearness(vectors: np.ndarray, others: np.ndarray, neighbour: int) -> np.ndarray:
    """How near (n,) each vector's neighbour of that rank is among the others; 1 is the same."""
    rank = min(neighbour, len(others))
    return np.partition(vectors @ others.T, -rank, axis=1)[:, -rank]


class Familiar:
    """What training images (n, H, W, 1) of classes (n,) look like."""

    def __init__(self, images: np.ndarray, classes: np.ndarray) -> None:
        images, classes = images[:SEEN], classes[:SEEN]
        vectors, counts = directions(images), pieces(images)
        labels = np.unique(classes).tolist()
        self.vectors = {label: vectors[classes == label] for label in labels}
        self.pieces = {label: counts[classes == label] for label in labels}
        # each of them is its own nearest one
        self.near = {
            label: np.sort(nearness(own[:ASKED], own, NEIGHBOUR + 1))
            for label, own in self.vectors.items()
        }

    def trust(self, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """The part (n,) of a probability that is to be believed, 0 to 1."""
        vectors, counts = directions(images), pieces(images)
        trust = np.zeros(len(images))
        for label in set(classes.tolist()) & self.vectors.keys():
            own = classes == label
            near = nearness(vectors[own], self.vectors[label], NEIGHBOUR)
            as_far = np.searchsorted(self.near[label], near, side="right") / len(self.near[label])
            in_as_many = [
                np.mean(self.pieces[label] >= count) if count > 1 else 1 for count in counts[own]
            ]
            trust[own] = np.minimum(as_far, in_as_many)
        return np.minimum(1, trust / RARE)
