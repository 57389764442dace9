"""Spark jobs: one file a job, each reads tables, calls `pvfault` and writes one table.

Beside the jobs: `catalog.py` (tables), `session.py` (how Spark is started), `topic.py` (the Kafka topic before it is
read), `job.py` (what a job takes and reports, and how it runs from a command line). Not here: the science (`pvfault`),
when a job runs and what its report means (`pvfault_assets`).
"""
