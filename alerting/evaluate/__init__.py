"""`pingan evaluate`: recordings of real people through the production detectors, by their production contract.

A recording becomes what its devices would have said (`Reading`s) and the time (`Tick`s), in the order in which a
running platform hears them, and goes into a `Partition`. There is no other way in: what is measured here is what runs.
"""
