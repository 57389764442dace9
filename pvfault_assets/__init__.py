"""Dagster's view of pvfault: what exists, from what it is made, when, and whether it can be trusted.

Not here: rows. A Spark job (`spark_jobs`) reads and writes those; an asset names the job and turns its report into
Dagster's events.
"""
