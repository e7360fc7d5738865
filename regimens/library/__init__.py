"""The shipped monograph: one file, and the checksum by which an installation knows it."""

from pathlib import Path

SHIPPED = Path(__file__).with_name("cmvig.toml")
SHIPPED_SHA256 = "cbb681f205e0057cc295062189ec75e4da2650ca2d9a76c17e7a2cb2e44044ac"
