"""What is asked of the tables, by people and programs.

Here: reading the published tables with PyIceberg (`published.py`) and answers made of them (`fleet.py`). Not here:
writing them (`spark_jobs`), Spark, Dagster.
"""
