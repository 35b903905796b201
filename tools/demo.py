"""make demo: a page on which a person draws a digit, or drops in a photo of one, and sees what the network reads."""

import argparse
import os
from pathlib import Path
from typing import Any

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}

from tools.predict import Reader, open_image, words

import gradio as gr
import numpy as np
from PIL import Image

SIDE = 280  # pixels of the canvas, and of the image as the network sees it
TAKE_BRUSH = """() => {
  const wait = setInterval(() => {
    const brush = document.querySelector('button[aria-label="Brush"]');
    if (brush) { brush.click(); clearInterval(wait); }
  }, 50);
}"""
HINT = "Draw a digit with the mouse or a finger, or drop in a photo of one."


def opened(photo: gr.image_utils.ImageData | None) -> Image.Image | None:
    """What was dropped in, read as `tools.predict` reads a file."""
    try:
        return open_image(Path(photo.path)) if photo and photo.path else None
    except ValueError:
        said = "This file is no picture that can be read. Try PNG or JPEG."
        raise gr.Error(said, print_exception=False) from None


def page(reader: Reader) -> gr.Blocks:
    """The page: a canvas on the left; on the right, what the network sees in it and reads."""

    def look(given: Image.Image | dict[str, Any] | None) -> tuple[Any, Any, str]:
        picture = given["composite"] if isinstance(given, dict) else given
        try:
            image, probabilities = reader.read(picture or Image.new("L", (1, 1)))
        except ValueError:
            return None, None, HINT
        seen = Image.fromarray((255 * (1 - image[..., 0])).astype(np.uint8))
        large = np.asarray(seen.resize((SIDE, SIDE), Image.Resampling.NEAREST))
        return large, {str(i): float(share) for i, share in enumerate(probabilities)}, f"## {words(probabilities)}"

    with gr.Blocks(title="Handwritten digits") as blocks:
        gr.Markdown("# What does the network read?")
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
                seen = gr.Image(label="What the network sees", height=SIDE + 40, interactive=False, buttons=[])
                photo = gr.Image(label="or drop in a photo of a digit", height=SIDE)
                photo.preprocess = opened  # type: ignore[assignment,method-assign]
        for source in (canvas, photo):
            source.change(look, source, [seen, bars, said], show_progress="hidden")
        blocks.load(js=TAKE_BRUSH)
        canvas.clear(js=TAKE_BRUSH)
    return blocks


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="whom to listen to; 0.0.0.0 is everybody")
    parser.add_argument("--port", type=int, default=7860)
    options = parser.parse_args()
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])  # none from the network
    page(Reader()).launch(server_name=options.host, server_port=options.port, footer_links=[], theme=theme)


if __name__ == "__main__":
    main()
