"""The `pvfault` command: arguments, progress, messages.

One module for each subcommand or group of them, and `main.py`, which assembles them. Every command is a call into
another room: no logic here, and no import that takes long outside of the commands that need it.
"""
