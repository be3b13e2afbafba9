"""Which moments of which camera are worth a look?

In: footage, pictures, later live cameras. Out: sampled frames with their time, and where in them something moved.
"""
