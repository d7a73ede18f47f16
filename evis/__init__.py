"""evis: five papers on weakly and unsupervised video instance segmentation, reproducible."""

__version__ = "0.1.0"
