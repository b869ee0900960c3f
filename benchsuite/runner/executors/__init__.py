"""Where comparison groups are sent: to the devices of this machine, or to those of a cluster.

An executor moves groups and nothing else. The processes that time, the records and the run folder are the
same for all of them, so every executor gives the same records. `table.py` lists them.
"""
