"""How right the network is, beside what else could be asked.

Scores, the baselines and the ceiling beside the network, the run that compares them, its report, and the model card.
"""
