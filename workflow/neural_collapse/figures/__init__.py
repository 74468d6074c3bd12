"""The papers' figures, and those of the theory: a module each, with what it shows and how to draw it.

A module `figure_<name>` holds two literals that are read without importing it: READS, the layer whose files it draws
(metrics; robustness or out_of_distribution, with the metrics for the zero-error line; settings or codes, with the table
of runs; theory or features), and where it shows the runs of one loss alone, that loss, NEEDS; any other figure shows
every loss of a study. NEEDS_LAYERS is one that shows inner layers, and so is drawn of a study with `layers: true` only.
`draw(table)` makes the `matplotlib.figure.Figure`; what it takes is what the module's `read(paths)` gives or, without
one, `read_tables`.
"""
