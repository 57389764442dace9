"""The science that judges: readings, windows, scalograms, references, the network, verdicts.

Arrays in, arrays out. Not here: what makes a network (`pvfault_workshop`), Spark (`spark_jobs`), Dagster
(`pvfault_assets`), Kafka (`pvfault_gateway`), and whatever reads the environment or talks to a service.
"""
