"""One module a page: its view, its endpoints."""
