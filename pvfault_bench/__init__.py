"""How fast the way from the topic to the verdicts is, in numbers that hold on another machine too.

Here: filling a topic, timing the real jobs, the yardsticks beside them, what the numbers mean in workers and dollars.
Not here: the command and what it prints (`pvfault_cli/bench.py`), the work that is timed (`spark_jobs/`).
"""
