"""Where recordings come from. One file per format, each with two functions (docs/add_a_source.md):

``discover(spec, files) -> Iterator[EpisodeRef | Finding]`` is cheap, ordered and stable: it lists episodes, hashes
their files and reports what is wrong with the listing. ``read(ref, files) -> RawEpisode`` reads one episode's
tables and metadata, canonicalised; pixels are decoded by `pipeline.ingest`, the same way for every format.
Everything a format knows about units and polarity stays in its file. `pipeline.sources.formats` names them all.
"""
