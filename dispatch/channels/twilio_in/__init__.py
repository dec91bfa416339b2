"""Calls and messages to the platform's own number: the device's second path, and the service hotline."""
