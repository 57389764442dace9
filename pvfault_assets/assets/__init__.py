"""The assets: what lies outside and upstream (`sources.py`), and the tables that are made of it (`daily_tables.py`)."""
