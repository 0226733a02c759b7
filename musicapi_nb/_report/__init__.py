"""A report on an experiment: one page that compares the levels of factors.

The name of the package is private, since `mnb.report` is the function.
"""
