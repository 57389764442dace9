"""Putting pvfault onto AWS: a release into its bucket, and the stacks around it.

Here: what a release is made of (`release.py`), which stacks there are and what they are given (`stacks.py`), how one is
changed (`change.py`), what a change would cost that cannot be made again (`losses.py`), the order of all that
(`deploy.py`), and the account where it is done (`account.py`). Not here: the templates (`infra/cloudformation`), the
images (`infra/images`), what is printed (`pvfault_cli/deploy.py`).
"""
