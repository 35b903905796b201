"""A module for each stage: `main` reads its inputs, computes, and writes its outputs."""
