"""Which moments of which camera are worth a look?

In: footage, pictures, live cameras, files played as such. Out: sampled frames with their time, and where in them something
moved; numbered on the bus, each to be looked at or with the word that it needs no look.
"""
