"""Demo footage from nothing: corridors with people in and without masks, and the exact truth about them.

In goes one public-domain portrait (NASA, from scikit-image) and a seed; out come frames, clips with truth files and
sample pictures. The description of a clip (`scene`, `script`) gives both the picture (`corridor`) and, without
rendering, the truth (`sight`, `truth`).
"""
