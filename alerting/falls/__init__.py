"""What a burst of acceleration is worth: is this a fall? PURE but for what trains."""
