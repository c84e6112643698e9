"""What several kinds of sources share: splits, labels, images, sound, Parquet, and the cache."""
