"""How right the network is, beside what else could be asked.

Here: scores, the baselines and the ceiling beside the network, the run that compares them, its report, and the model
card. Not here: the devices that are scored (`pvfault_workshop/simulation`), the network and its training.
"""
