"""One module for each file format; see ``headline.formats.registry``."""
