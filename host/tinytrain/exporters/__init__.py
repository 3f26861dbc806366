"""Writers of model files: what the importers read, the exporters can write."""
