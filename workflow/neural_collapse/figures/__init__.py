"""The paper's figures: one module each, with what it shows and how to draw it.

A module `figure_NN` holds two literals that are read without importing it, LOSSES (whose runs it shows) and READS (the
layers whose tables it draws: metrics, robustness, theory), and `draw(table) -> matplotlib.figure.Figure`.
"""
