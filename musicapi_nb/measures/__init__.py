"""Values measured in the sound of songs: in worker processes, once per file, as tables.

Nothing is imported here: worker processes load only what they need.
"""
