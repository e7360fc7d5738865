"""A demonstration centre: invented people whose courses stand at every stage, made by the same actions a user's clicks go through."""
