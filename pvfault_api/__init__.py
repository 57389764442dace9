"""What is asked of the tables, by people and programs.

Published tables are read with PyIceberg, without Spark (`published.py`, `snapshots.py`), and answers are made of them
(`fleet.py`, `verdicts.py`, `curves.py`, `origins.py`): also what there is of each (`inventory.py`) and whether their
files are whole (`verifying.py`). The catalog of a laptop is made again here as well (`restoring.py`). Nothing here
writes a row. How questions come over HTTP is in another room (`pvfault_server`).
"""
