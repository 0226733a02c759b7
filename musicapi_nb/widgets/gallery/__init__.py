"""Songs to look through, play and rate: in a notebook, and as a page on disk."""

from musicapi_nb.widgets.gallery._gallery import Gallery, gallery

__all__ = ["Gallery", "SavedPage", "gallery", "save_page"]
