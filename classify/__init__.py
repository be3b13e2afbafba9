"""Who wears what?

In: pictures and face boxes. Out: label probabilities per face, and from the faces of a camera in order of time the
tracks, their labels and their events, as one deterministic fold.
"""
