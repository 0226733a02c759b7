"""Interactive notebook widgets, each with static HTML for saved notebooks."""
