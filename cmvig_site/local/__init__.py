"""What the script `dev` does: installs, serves, tests and checks the product on one machine, with its own PostgreSQL."""
