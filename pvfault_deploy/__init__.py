"""Putting pvfault onto AWS: a release into its bucket, and the stacks around it.

Here: what a release is made of (`release.py`), which stacks there are and what they are given (`stacks.py`), how one is
changed (`change.py`), the order of all that (`deploy.py`), and how Amazon is reached (`amazon.py`). Not here: the
templates (`infra/cloudformation`), the images (`infra/images`), what is printed (`pvfault_cli/deploy.py`).
"""
