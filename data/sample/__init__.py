"""A generator of invented news: `words` and `events` are its raw material."""
