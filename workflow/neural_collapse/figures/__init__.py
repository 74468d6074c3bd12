"""The paper's figures: one module each, with what it shows and how to draw it.

A module `figure_NN` holds two literals that are read without importing it, LOSSES (whose runs it shows) and READS (the
layer whose tables it draws: metrics, robustness, which comes with the metrics for the zero-error line, or theory), and
`draw(table) -> matplotlib.figure.Figure`.
"""
