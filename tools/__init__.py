"""Programs beside the pipeline, each called by `python -m tools.NAME`; `make help` lists them."""
