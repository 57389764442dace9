"""What is asked of the tables over HTTP: `pvfault serve`.

A request is read (`asked.py`), answered from the tables (`devices.py`, `fleet.py`), and written in the form that it
accepts (`answers.py`); what goes wrong is told in one form (`problems.py`). What the tables say is found in
`pvfault_api`. What people do with alarms (`alarms.py`) is kept by `pvfault_alarms`, in a database of its own. Nothing
here writes a row of a table.
"""
