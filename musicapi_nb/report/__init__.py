"""One page that compares the levels of a factor and says what is decided."""
