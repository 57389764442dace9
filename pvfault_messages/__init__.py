"""How a message reaches people: an SNS topic, or a webhook, as the settings say (`channels.py`, `webhook.py`).

Here: sending one message, and whether it was taken. Not here: which messages there are, and what becomes of one that
was not taken: of runs (`pvfault_assets/notifications.py`), of alarms (`pvfault_alarms/telling.py`).
"""
