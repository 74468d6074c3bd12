"""From published images, or a user's own, to a prepared data set."""
