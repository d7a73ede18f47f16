"""Trackers: which prediction in one frame or window continues which in the one before."""
