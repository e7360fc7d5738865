"""The shipped monograph: one file, and the checksum by which an installation knows it."""

from pathlib import Path

SHIPPED = Path(__file__).with_name("cmvig.toml")
SHIPPED_SHA256 = "9a1d24a64bc2127e4d754461f89593a09dee5fafba60f3a5a00864eb6ab700ac"
