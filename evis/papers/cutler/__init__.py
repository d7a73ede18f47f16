"""CutLER, the detector of objects that UVIS and FlowCut start from: learnt from MaskCut's masks."""
