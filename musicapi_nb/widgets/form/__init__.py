"""A form that is filled in and buys songs."""

from musicapi_nb.widgets.form.form import Form

__all__ = ["Form"]
