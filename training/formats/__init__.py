"""The layouts in which people keep labelled pictures: one module for each, all giving the same `Listing`.

Nothing is opened here but lists (YOLO text files also need each picture's size). What comes in is a DATA folder; what
goes out are pictures with labels and, where the layout has one, the split that its maker chose.
"""
