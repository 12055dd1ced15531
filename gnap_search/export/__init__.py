"""Export: one file a format, and what checks, packs and measures the files."""
