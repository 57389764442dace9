"""How the database of the alarms comes from nothing, or from an older pvfault, to what `schema.py` says.

A change of `schema.py` is a new module in `versions/`, and `REVISION` in `store.py` names it. What is there is not
changed: databases have been made with it.
"""
