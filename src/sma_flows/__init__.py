"""Phone call flows in YAML for Amazon Chime SDK PSTN Audio."""

__version__ = "0.1.0"
