"""A page on which a person draws a digit, or drops in a photo of one, and sees its class.

Beside it stands what the network gets of the drawing. The page loads nothing from other machines.
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr
    from PIL import Image

    from tools.predict import Classifier

SIDE = 280  # pixels of the canvas, and of the image as the network gets it
TAKE_BRUSH = """() => {
  const wait = setInterval(() => {
    const brush = document.querySelector('button[aria-label="Brush"]');
    if (brush) { brush.click(); clearInterval(wait); }
  }, 50);
}"""
HINT = "Draw a digit with the mouse or a finger, or drop in a photo of one."
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


class Page:
    """The canvas on the left; on the right, what the network gets, and its class."""

    def __init__(self, classifier: "Classifier") -> None:
        self.classifier = classifier

    def look(self, given: "Image.Image | dict[str, Any] | None") -> tuple[Any, Any, str]:
        """Return an image to show, the probability of each class, and the class in words."""
        import numpy as np
        from PIL import Image

        picture = given["composite"] if isinstance(given, dict) else given
        if picture is None:
            return None, None, HINT
        try:
            image, probabilities = self.classifier.classify(picture)
        except ValueError:  # nothing drawn yet
            return None, None, HINT
        shown = image if image.shape[2] == 3 else 1 - image[..., 0]  # ink on paper
        seen = Image.fromarray((255 * shown).astype(np.uint8))
        large = np.asarray(seen.resize((SIDE, SIDE), Image.Resampling.NEAREST))
        bars = dict(zip(self.classifier.data.classes, probabilities.tolist()))
        return large, bars, f"## {self.classifier.words(probabilities)}"

    def blocks(self) -> "gr.Blocks":
        import gradio as gr

        with gr.Blocks(title="Handwritten digits") as blocks:
            gr.Markdown("# Which digit is this?")
            with gr.Row():
                canvas = gr.Sketchpad(
                    type="pil",
                    label="Draw a digit",
                    canvas_size=(SIDE, SIDE),
                    height=SIDE + 100,
                    brush=gr.Brush(default_size=14, colors=["#222222"], color_mode="fixed"),
                    layers=False,
                )
                with gr.Column():
                    said = gr.Markdown(HINT)
                    bars = gr.Label(label="Probabilities", num_top_classes=10, show_heading=False)
                with gr.Column():
                    seen = gr.Image(
                        label="What the network gets",
                        height=SIDE + 40,
                        interactive=False,
                        buttons=[],
                    )
                    photo = gr.Image(label="or drop in a photo of a digit", height=SIDE)
                    photo.preprocess = opened  # type: ignore[assignment,method-assign]
            for source in (canvas, photo):
                source.change(self.look, source, [seen, bars, said], show_progress="hidden")
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
    except OSError:
        raise SystemExit(
            "demo: expected an address of this machine and a port that is not in use; found "
            f"{options.host} and {options.port or '7860 to 7959'}"
        ) from None


if __name__ == "__main__":
    main()
