"""The whole platform under faults: first everything that can die dies, then calm, and then those who stand outside
look at what became of every press."""
