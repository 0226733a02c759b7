"""Stand in for the parts of google.colab that docs/guides/colab.md uses."""
