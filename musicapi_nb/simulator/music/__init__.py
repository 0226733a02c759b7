"""Small made-up songs with known tempo, key and chords: notes, audio, MIDI, lyrics and covers."""
