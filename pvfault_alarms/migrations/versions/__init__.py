"""Steps from one form of the database to the next, in the order of their names."""
