"""``headline serve``: a page for editors and an HTTP API."""
