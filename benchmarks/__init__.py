"""How accurate, how fast, and at what cost: README.md has what was measured."""
