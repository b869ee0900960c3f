"""Where comparison groups are sent: to the devices of this machine, to a Ray cluster, or to SLURM.

An engine moves groups and nothing else. The processes that time, the records and the run folder are the same
for all of them, so every engine gives the same records.
"""
