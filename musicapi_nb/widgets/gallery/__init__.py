"""Galleries of songs to browse, play and rate: in a notebook, or as a page on disk."""

from musicapi_nb.widgets.gallery._gallery import Gallery, gallery, show

__all__ = ["Gallery", "gallery", "show"]
