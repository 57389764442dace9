"""Putting pvfault onto AWS: a release into its bucket, and the stacks around it.

What a release is made of (`release.py`), which stacks there are and what they are given (`stacks.py`), how one is
changed (`change.py`), what a change would cost that cannot be made again (`losses.py`), the order of all that
(`deploy.py`), and the account where it is done (`account.py`). The templates are in `infra/cloudformation`.
"""
