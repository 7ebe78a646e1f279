"""The formats that there are; see ``headline.formats.registry``."""
