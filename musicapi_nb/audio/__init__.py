"""Measure the sound of a file: tempo, key, loudness, silence and more. No service, no library."""
