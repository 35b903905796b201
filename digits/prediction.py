"""A trained network and images -> probabilities, with test-time augmentation."""

from collections.abc import Iterator

import numpy as np

from digits import augmentation, network
from digits.determinism import tf
from digits.params import Augment

# The share of training's augmentation that a view of a test image gets. In training the class is
# known, whatever becomes of the image; here it must not come to look like another class.
STRENGTH = 0.5


def weaker(bounds: dict[str, float], share: float) -> dict[str, float]:
    """The bounds of augmentation, each at that share of what it is."""
    # flip is a probability; all others are distances from the unchanged image
    return {name: bound if name == "flip" else share * bound for name, bound in bounds.items()}


def predict(
    forward: network.Forward, images: np.ndarray, augment: Augment, views: int
) -> Iterator[np.ndarray]:
    """Yield probabilities float32 (n, K) of the images (N, H, W, C), batch by batch.

    Each is the mean over an image and `views` views of it, augmented by half of `augment`.
    """
    bounds = weaker(augment.model_dump(exclude_unset=True), STRENGTH)
    for batch in network.in_batches(images):
        seen = [batch]
        for view in range(views):
            # the same change for all, so that no image's class depends on those beside it
            rng = np.random.default_rng(view)
            seen.append(augmentation.augment(batch, rng, **bounds, alike=True))
        yield np.mean([forward(tf.constant(view)).numpy() for view in seen], axis=0)
