"""The measures of neural collapse, and tables of them."""
