"""The alarm receiver: transmitters that speak SOS Access v4 (docs/sos-access.md)."""
