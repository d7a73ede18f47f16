"""Eigen-Cluster VIS, the lead paper: boxes, TK, TEL and QCC."""
