"""Blind listening tests: design, widget, stored answers and statistics.

Private, because `mnb.blind_test` is a function; `mnb` also has `preferences_frame`, `preference`.
"""
