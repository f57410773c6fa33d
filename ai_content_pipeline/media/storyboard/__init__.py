"""Draws storyboard frames from words, with Pillow alone: free, offline, the same every time."""
