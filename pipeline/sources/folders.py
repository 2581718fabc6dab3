"""Asking for many files one by one without one request each: a folder is listed once, when first asked about.

Keeps only the folders asked about lately. Datasets are walked in order, so a folder is rarely listed twice, and a
source of a million files never stands in memory as a whole.
"""

from collections import OrderedDict

from pipeline.files import FileStat, SourceFiles

_FOLDERS_KEPT = 64


class Folders:
    """`SourceFiles.stat` for sorted walks."""

    def __init__(self, files: SourceFiles) -> None:
        self._files = files
        self._folders: OrderedDict[str, dict[str, FileStat]] = OrderedDict()

    def stat(self, path: str) -> FileStat | None:
        """Size and time of one file, or None when there is no such file."""
        folder = path.rpartition("/")[0]
        if folder not in self._folders:
            listing = self._files.list(folder, recursive=False)
            self._folders[folder] = {stat.path: stat for stat in listing}
            if len(self._folders) > _FOLDERS_KEPT:
                self._folders.popitem(last=False)
        self._folders.move_to_end(folder)
        return self._folders[folder].get(path)
