"""Analyses of tags, durations and other outcomes: functions from tables to tables.

Each is imported from its module, so that the first one does not load the others.
"""
