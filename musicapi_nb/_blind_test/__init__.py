"""Blind listening tests: design, widget, stored answers and statistics.

Use them as `mnb.blind_test`, `mnb.preferences_frame` and `mnb.preference`. The package is private
because its name is that of the function.
"""
