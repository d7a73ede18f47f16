"""UVIS: video instance segmentation from nothing but a list of class names."""
