"""The lead paper's figures, drawn from frames and arrays that other modules make.

Fig. 2 is in `pipeline`, Figs 3 and 4 in `loss_diagrams`, Fig. 6 and the tables in `tables`, as
`figure_two` to `figure_six`. Figs 1 and 5 are drawn by `evis.companion.plots.qualitative`. Colours
are in `colours`, those of rows (masks, boxes, TK ...) as `ROW_COLOURS`.
"""
