"""Checks of a date: sentences about rows that can be false, a module for each table.

What is judged and how. Figures in, a `CheckResult` out. Where figures come from is not here: a job counts them while
rows pass, and asks before it publishes; `pvfault_api.checking` takes them from what is published. Both call the same
functions.
"""
