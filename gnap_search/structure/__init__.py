"""Structure: layers and models, the groups of channels in them, surgery on them, and what they cost."""
