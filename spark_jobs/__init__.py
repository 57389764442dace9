"""Spark jobs: one file a job, each reads tables, calls `pvfault` and writes one table.

Beside the jobs: `catalog.py` (tables), `scans.py` and `publishing.py` (their rows, read and replaced), `files.py`
(their files), `tasks.py` (how work in tasks gives its result), `references.py` (what devices should give, on its way
between tasks), `ledger.py` and `offsets.py` (what was read of the topic, and what is to be), `lineage.py` (what a row
comes from), `session.py` (how Spark is started), `topic.py` (the Kafka topic before it is read), `transient.py` (which
errors pass by themselves), `job.py` (what a job takes and reports, and how it runs from a command line). Not here: the
science (`pvfault`), when a job runs and what its report means (`pvfault_assets`).
"""
