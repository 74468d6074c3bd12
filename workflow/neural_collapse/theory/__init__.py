"""The central path: what Theorem 3 and its corollaries say, computed."""
