"""How far a network's probabilities can be believed: is an image like those that it was trained on?

A network names one of its classes with confidence, whatever it is shown. So an image is compared
with the training images of that class, in two ways: how near the fifth nearest of them is, by the
cosine between blurred images, and of how many pieces its ink is. Where few training images of the
class are as far, or in as many pieces, the confidence falls. Those of a 1 are nearer to each other
than those of a 0, so each class has its own measure.
Source: Sun, Ming, Zhu and Li, 2022, "Out-of-distribution detection with deep nearest neighbors".
Pixels, in place of features, told drawings and letters from digits as well.
"""

import cv2
import numpy as np

SIDE = 28  # pixels along which images are compared at most
BLUR = 0.03  # of a side: a stroke that lies beside another by less is nearly the same
SEEN = 20_000  # training images that are looked at: more take longer, and tell no more
ASKED = 300  # of a class, by which it is known what is usual
NEIGHBOUR = 5  # the nearest ones may be chance
FAR = 0.12  # of the class's training images are as far: then the confidence begins to fall
RARE = 0.07  # of them are in as many pieces: likewise


def blurred(images: np.ndarray) -> np.ndarray:
    """Images (n, H, W, 1) as vectors float32 (n, d) of length 1."""
    height, width = (min(SIDE, side) for side in images.shape[1:3])
    sigma = BLUR * max(images.shape[1:3])
    soft = (cv2.GaussianBlur(image, (0, 0), sigma) for image in images)
    small = [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in soft]
    vectors = np.reshape(small, (len(images), -1))
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def pieces(images: np.ndarray) -> np.ndarray:
    """Of how many pieces (n,) the ink in images (n, H, W, 1) is."""
    masks = (images[..., 0] > 0.4).astype(np.uint8)
    return np.array([cv2.connectedComponents(mask)[0] - 1 for mask in masks])


def nearness(vectors: np.ndarray, others: np.ndarray, neighbour: int) -> np.ndarray:
    """How near (n,) each vector's neighbour of that rank is among others: 1 is the same."""
    rank = min(neighbour, len(others))
    return np.partition(vectors @ others.T, -rank, axis=1)[:, -rank]


class Familiar:
    """What training images (n, H, W, 1) of classes (n,) look like."""

    def __init__(self, images: np.ndarray, classes: np.ndarray) -> None:
        images, classes = images[:SEEN], classes[:SEEN]
        vectors, counts = blurred(images), pieces(images)
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
        vectors, counts = blurred(images), pieces(images)
        trust = np.zeros(len(images))
        for label in set(classes.tolist()) & self.vectors.keys():
            own = classes == label
            near = nearness(vectors[own], self.vectors[label], NEIGHBOUR)
            as_far = np.searchsorted(self.near[label], near, side="right") / len(self.near[label])
            in_as_many = [
                np.mean(self.pieces[label] >= count) if count > 1 else 1 for count in counts[own]
            ]
            trust[own] = np.minimum(as_far / FAR, np.divide(in_as_many, RARE))
        return np.minimum(1, trust)
