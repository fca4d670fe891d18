"""What is mirrored, passed on to monitoring: Prometheus asks for it, OpenTelemetry is sent it."""
