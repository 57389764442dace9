"""How fast the way from the topic to the verdicts is, in numbers that hold on another machine too.

A topic is filled, the real jobs are timed with yardsticks beside them, and the numbers become workers and dollars.
"""
