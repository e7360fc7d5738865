"""What is shipped: the monograph with the checksum by which an installation knows it, and the worked cases it is checked by."""

from pathlib import Path

FOLDER = Path(__file__).parent
SHIPPED = FOLDER / "cmvig.toml"
SHIPPED_SHA256 = "9a1d24a64bc2127e4d754461f89593a09dee5fafba60f3a5a00864eb6ab700ac"
WORKED_CASES = (FOLDER / "dose_cases.csv", FOLDER / "schedule_cases.csv")
