"""The one exception of the launcher: a sentence for the person at the terminal."""

from __future__ import annotations


class Problem(SystemExit):
    """Something this machine lacks or refuses. Uncaught, Python prints the sentence to standard error and exits with 1."""
