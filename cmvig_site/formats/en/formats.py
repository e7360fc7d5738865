"""Dates and instants where Django writes them itself: 22-Nov-2026, on the 24-hour clock."""

DATE_FORMAT = SHORT_DATE_FORMAT = "d-M-Y"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "d-M-Y H:i"
TIME_FORMAT = "H:i"
