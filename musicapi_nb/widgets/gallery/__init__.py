"""Songs to look through, play and rate: in a notebook, and as a page on disk."""

from musicapi_nb.widgets.gallery._gallery import Gallery, gallery
from musicapi_nb.widgets.gallery.saved_page import PageTooLarge, SavedPage, save_page

__all__ = ["Gallery", "PageTooLarge", "SavedPage", "gallery", "save_page"]
