"""The statistics of a report: pure functions of arrays (protocol: docs/method.md).

One topic per file, numpy and scipy.special only: importing scipy.stats costs two seconds.
"""
