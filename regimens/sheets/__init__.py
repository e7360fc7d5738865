"""Printed sheets: plain data in, PDF out. Nothing here knows the database, the request or the clock."""
