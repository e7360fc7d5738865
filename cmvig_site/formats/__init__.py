"""Django's own way to write dates, by language."""
