"""Where are the faces?

In: RGB pictures. Out: face boxes in source pixels. A tile plan decides which squares of the picture the detector
looks at, so that the smallest face worth classifying is large enough for it.
"""
