"""The lead paper's figures, drawn from frames and arrays that other modules make.

Figs 1 and 5 are in `qualitative`, Fig. 2 in `pipeline`, Figs 3 and 4 in `loss_diagrams`, Fig. 6 and
the tables in `tables`: functions `figure_one` to `figure_six`. Colours are in `colours`, those of
rows (masks, boxes, TK ...) as `ROW_COLOURS`.
"""
