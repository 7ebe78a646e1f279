"""``headline prepare`` in parts, which any processes of any machines can share."""
