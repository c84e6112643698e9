"""Data sets changed on purpose: mislabelled or unbalanced training examples, shifted tests."""
