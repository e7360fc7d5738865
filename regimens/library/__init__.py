"""The shipped monograph: one file, its path and the release it belongs to."""

from pathlib import Path

RELEASE = "0.1.0"
SHIPPED = Path(__file__).with_name("cmvig.toml")
