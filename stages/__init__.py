"""A module per stage of dvc.yaml: each reads its inputs, makes one call, and writes its outputs."""
