"""The shipped monograph: one file, and the checksum by which an installation knows it."""

from pathlib import Path

SHIPPED = Path(__file__).with_name("cmvig.toml")
SHIPPED_SHA256 = "40caea3c4eb6bf63e5afe8f9588ea8017d0aac50e9c17cf34905a34223bc362c"
