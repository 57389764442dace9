"""The science of pvfault: readings, windows, scalograms, faults, the network, simulation, evaluation.

Arrays in, arrays out. Not here: Spark (`spark_jobs`), Dagster (`pvfault_assets`), Kafka (`pvfault_gateway`),
and whatever reads the environment or talks to a service.
"""
