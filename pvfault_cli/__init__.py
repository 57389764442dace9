"""The `pvfault` command: arguments, progress, messages.

Here: one module for each subcommand or group of them, and `main.py`, which assembles them. Every command is a call into
another room. Not here: logic, and imports that take long outside of the commands that need them.
"""
