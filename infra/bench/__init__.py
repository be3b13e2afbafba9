"""How fast is it, and how near to what this machine can do at all?

In goes footage, made once or the user's own; out come figures, each beside the limit that the same machine showed in
the same run wherever there is one. Everything runs one call after another, so that nothing but the machine's other
work disturbs it; costs are CPU time, which suffers least from that.
"""
