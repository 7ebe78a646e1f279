"""The operating system: files, folders, streams, signals, processes."""
