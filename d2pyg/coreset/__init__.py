"""The result of a selection, its file formats, and explanations of picks."""
