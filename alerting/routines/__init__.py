"""What is learned of homes, apart from the detectors that use it. PURE where it says so."""
