"""Values measured in the sound of songs: stored in the library, computed once, as tables."""

from musicapi_nb.measures._sung_lyrics import sung_lines as sung_lines
from musicapi_nb.measures._sung_lyrics import sung_lyrics as sung_lyrics
