"""HTML for people: pages, curves and heat maps."""
