"""What the rooms of the house say to each other, and nothing else."""
