"""References: whose subject or style a step keeps, by which route, and in which words."""
