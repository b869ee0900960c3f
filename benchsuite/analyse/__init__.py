"""Looks into mixers and networks: attention, spectra, learned scalars, receptive fields. Times nothing.

Nothing in the mixers knows of it: softmaxes are seen by a mode of torch's dispatch, outputs by forward hooks,
both put on for one forward pass and taken off again. A timed module never carries any of it.
"""
