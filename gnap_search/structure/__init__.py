"""Structure: layers and models, the groups of channels in them, surgery on them, and what they cost."""

Shape = tuple[int, int, int]  # channels, height, width of one image
