"""The published data sets that `download.dataset` in params.yaml may name.

To add one: an entry here, and a line `NAME: {}` under `datasets` in params.yaml.
What reads params.yaml imports this for the names, so nothing slow may be imported here.
"""

from dataclasses import dataclass

DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Published:
    """Four IDX files under the names that MNIST gave them."""

    classes: tuple[str, ...]  # their names, from class 0 on
    mirrors: tuple[str, ...]  # base URLs, each with the four files, asked in this order
    # of images and labels of training, then of test: of the content, or else of the .gz
    sha256: tuple[str, str, str, str]
    torchvision: str = ""  # the folder in which that library keeps them, if it does


PUBLISHED = {
    # Yann LeCun, Corinna Cortes and Christopher J. C. Burges, CC BY-SA 3.0
    "mnist": Published(
        classes=DIGITS,
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            "https://ossci-datasets.s3.amazonaws.com/mnist",
        ),
        sha256=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        torchvision="MNIST",
    ),
    # Zalando SE, MIT
    "fashion_mnist": Published(
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",),
        sha256=(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        torchvision="FashionMNIST",
    ),
    # ROIS-DS Center for Open Data in the Humanities, CC BY-SA 4.0
    "kmnist": Published(
        classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist",),
        sha256=(  # of the .gz: nobody published those of the content
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
        torchvision="KMNIST",
    ),
}
