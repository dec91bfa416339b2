"""A seeded person in a seeded home, and what its sensors make of the day. Pure."""
