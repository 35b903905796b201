"""A page on which a person draws digits, or drops in a photo of some, and sees what is read.

Where the network was trained on photos of other things, one drops in such a photo.

Each symbol gets a box. Beside it stands what the network gets of each. The page loads nothing from
other machines.
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr
    from PIL import Image

    from tools.predict import Classifier, Line, Read

SIDE = 280  # pixels of the canvas, and of the image as the network gets it
TAKE_BRUSH = """() => {
  const wait = setInterval(() => {
    const brush = document.querySelector('button[aria-label="Brush"]');
    if (brush) { brush.click(); clearInterval(wait); }
  }, 50);
}"""
DIGITS = [str(digit) for digit in range(10)]
HINT = "Draw a digit or a number with the mouse or a finger, or drop in a photo of one."
SHOWN = 60  # symbols at most, as the network gets them
BOX = (220, 40, 40)
NO_PICTURE = "This file is no picture that can be read. Try PNG or JPEG."


def opened(photo: "gr.image_utils.ImageData | None") -> "Image.Image | None":
    """What was dropped in, opened as `tools.predict` opens a file."""
    import gradio as gr

    from digits import pictures

    if not photo or not photo.path:
        return None
    try:
        return pictures.open(Path(photo.path))
    except ValueError:
        raise gr.Error(NO_PICTURE, print_exception=False) from None


def with_boxes(picture: "Image.Image", lines: "list[Line]") -> "Image.Image":
    """The picture with a box round each symbol."""
    from PIL import ImageDraw

    from digits import pictures

    shown = pictures.upright(picture).convert("RGB")
    pen = ImageDraw.Draw(shown)
    width = 1 + max(shown.size) // 200
    for line in lines:
        for symbol in line:
            pen.rectangle(symbol.box, outline=BOX, width=width)
    shown.thumbnail((1000, 1000))
    return shown


def as_given(symbol: "Read", ink: bool) -> "Image.Image":
    """What the network gets of a symbol, enlarged; grey ones as ink on paper where it is ink."""
    import numpy as np
    from PIL import Image

    image = symbol.image
    if image.shape[2] == 1:
        image = 1 - image[..., 0] if ink else image[..., 0]
    seen = Image.fromarray((255 * image).astype(np.uint8))
    return seen.resize((SIDE, SIDE), Image.Resampling.NEAREST)


class Page:
    """The canvas and a photo on the left; on the right, what is read, and of what."""

    def __init__(self, classifier: "Classifier") -> None:
        from digits.output import listed

        self.classifier = classifier
        names, data = classifier.classes, classifier.data
        # what is searched for ink can be drawn
        self.drawn = data.search
        self.title, self.hint = "Which number is this?", HINT
        if names != DIGITS or not self.drawn:
            self.title = "Which class is this?"
            what = "Draw one, or drop in" if self.drawn else "Drop in"
            self.hint = f"{what} a picture. The network knows {listed(names)}."

    def look(self, given: "Image.Image | dict[str, Any] | None") -> tuple[Any, Any, Any, str]:
        """Return the boxes, images to show, the probability of each class, and what is read."""
        from tools import predict

        picture = given["composite"] if isinstance(given, dict) else given
        if picture is None:
            return None, None, None, self.hint
        try:
            lines = self.classifier.read(picture)
        except ValueError as error:
            # of an empty canvas nothing needs to be said
            return None, None, None, self.hint if isinstance(given, dict) else str(error)
        names = self.classifier.classes
        symbols = [symbol for line in lines for symbol in line]
        seen = [
            (
                as_given(symbol, self.classifier.data.ink),
                f"{predict.text([symbol.ranked[0]], names)} ({100 * symbol.confidence:.0f} %)",
            )
            for symbol in symbols[:SHOWN]
        ]
        weakest = min(symbols, key=lambda symbol: symbol.confidence)
        bars = dict(zip(names, (weakest.trust * weakest.probabilities).tolist()))
        said = "\n\n".join(f"## {predict.words(line, names)}" for line in lines)
        return with_boxes(picture, lines), seen, bars, said

    def blocks(self) -> "gr.Blocks":
        import gradio as gr

        with gr.Blocks(title=self.title) as blocks:
            gr.Markdown(f"# {self.title}")
            with gr.Row():
                with gr.Column():
                    canvas = gr.Sketchpad(
                        type="pil",
                        visible=self.drawn,
                        label="Draw digits" if self.hint == HINT else "Draw one",
                        canvas_size=(2 * SIDE, SIDE),
                        height=SIDE + 100,
                        brush=gr.Brush(default_size=14, colors=["#222222"], color_mode="fixed"),
                        layers=False,
                    )
                    words = "or drop in a photo" if self.drawn else "Drop in a picture"
                    photo = gr.Image(label=words, height=SIDE)
                    photo.preprocess = opened  # type: ignore[assignment,method-assign]
                with gr.Column():
                    said = gr.Markdown(self.hint)
                    boxes = gr.Image(
                        label="What is read", height=SIDE, interactive=False, buttons=[]
                    )
                    seen = gr.Gallery(
                        label="What the network gets of each",
                        columns=5,
                        height=SIDE - 80,
                        fit_columns=False,
                        interactive=False,
                        buttons=[],
                    )
                    bars = gr.Label(
                        label="The least sure one", num_top_classes=3, show_heading=False
                    )
            for source in (canvas, photo):
                source.change(self.look, source, [boxes, seen, bars, said], show_progress="hidden")
            if self.drawn:
                blocks.load(js=TAKE_BRUSH)
                canvas.clear(js=TAKE_BRUSH)
        return blocks


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument(
        "--host", default="127.0.0.1", help="whom to listen to; 0.0.0.0 is everybody"
    )
    parser.add_argument("--port", type=int, help="of the address (the first free one from 7860)")
    options = parser.parse_args()

    # Gradio asks for its own page once; a proxy has no other.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "no_proxy": "*"}
    from tools.predict import Classifier

    page = Page(Classifier())
    import gradio as gr  # late: slow

    # The browser's own fonts: others would come from the network.
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    try:
        page.blocks().launch(
            server_name=options.host,
            server_port=options.port,
            share=False,
            footer_links=[],
            theme=theme,
        )
    except (OSError, OverflowError):  # the latter: of a port that no address has
        raise SystemExit(
            "demo: expected an address of this machine and a port that is not in use; found "
            f"{options.host} and {options.port or '7860 to 7959'}"
        ) from None


if __name__ == "__main__":
    main()
