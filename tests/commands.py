"""The command line as a process of its own."""

import sys

HEADLINE = [sys.executable, "-m", "headline"]
