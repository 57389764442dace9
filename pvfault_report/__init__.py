"""What `pvfault classify` tells of a file: verdicts with their reasons, as one JSON document and one page.

Here: device-days in the order in which somebody should look at them (`days.py`), why one was not judged (`reasons.py`),
the document (`document.py`), the page (`page.py` with its template). Not here: how a verdict comes about (`pvfault/`),
what a terminal shows (`pvfault_cli/classify.py`), the page of a fleet's tables (`pvfault_server/page/`).
"""
