"""Pages about patients: door, form, action, answer."""
