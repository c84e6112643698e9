"""A result folder: the only part that reads and writes the Parquet files of a run."""
