"""From trained networks to moments of their last-layer features, from which every measure follows."""
