"""Everything outside our walls: homes, devices, people with phones and a telephone network.

It speaks to the platform on the wire only and imports none of its code: a simulator that used our encoder would share
our bugs.
"""
