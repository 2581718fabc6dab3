"""``joinery doctor``: whether this machine, its cluster and the workspace can do what a run will ask of them.

Every check does the thing itself, on something small: decodes, encodes, commits, starts Ray, draws a page. A version
number proves little, and a folder that is there may still not be written to.
"""
