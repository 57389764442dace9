"""What verdicts become for a crew: alarms that have a life.

What the tables say of a date is read (`reading.py`), the dates of a device are cut into alarms (`spells.py`) and held
against those that are known already (`matching.py`), and both are brought together in the database (`update.py`). What
people may do with an alarm is in `life.py`, where it is kept in `store.py`, how it is asked for in `book.py`. Somebody
is told of it (`telling.py`), and what the crew found becomes labels (`labels.py`). The rules in words are in
docs/alarms.md. How questions come over HTTP is in another room (`pvfault_server`).
"""
