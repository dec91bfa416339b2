"""Our devices on the wire: the native protocol v1 by our own hand, and MQTT clients on one event loop."""
