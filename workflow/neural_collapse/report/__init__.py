"""One page for people: what was studied, what came out, every figure, the curves to play with, and where all is from.

`contents` computes what the page says, from tables alone; `page` puts it into the template. All words that belong to no
number are files: `captions/` (one a figure, and of the tables) and the prose of the page, in reStructuredText.
"""
