"""The scripts that made the micro-models which come with zooid, from public data."""
