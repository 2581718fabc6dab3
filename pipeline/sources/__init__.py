"""Where recordings come from. One file or folder per format (docs/add_a_source.md), each offering

``FACTS``, what its numbers mean; ``discover``, which lists episodes, hashes their files and reports what is wrong
with the listing; ``read``, one episode's tables and metadata, canonicalised; and, where pictures are no plain video
files, ``pictures``. Everything a format knows about units and polarity stays there. `pipeline.sources.formats` names
them all. What several formats share lies directly in this folder, how bytes become arrays in ``storage``.
"""
