"""Where do the models come from?

In: labelled pictures. Out: a LiteRT classifier with its `labels.json`, and the figures that say how good it is.
It shares cropping and detection with the running system, so that both see the same pixels. Needs the training set
(`make setup-train`); the running system never imports it.
"""
