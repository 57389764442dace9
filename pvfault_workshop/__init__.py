"""The workshop that makes networks: simulated plants, training, evaluation.

Here: whatever a network needs to come into being and to be judged itself. Not here: what judges readings (`pvfault`),
which never imports this room, so that a job on a cluster carries neither a simulator nor scikit-learn.
"""
