"""Values measured in the sound of songs: stored in the library, computed once, as tables."""
