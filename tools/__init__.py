"""Programs beside the pipeline: python -m tools.NAME, or make NAME."""
