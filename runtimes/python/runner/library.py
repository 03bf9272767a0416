"""What scripts can import: the part of the standard library that works on data.

Left out is what needs a network, other processes, threads, a terminal or a whole file system, and what this build of
CPython does not have (bz2, lzma, zstd, ssl, ctypes, sqlite3).
"""

import encodings
import importlib
import pkgutil

MODULES = """
    abc argparse array ast atexit base64 binascii bisect builtins calendar cmath codecs collections collections.abc
    colorsys configparser contextlib contextvars copy copyreg csv dataclasses datetime decimal difflib enum errno fnmatch
    fractions functools gc genericpath getopt glob graphlib gzip hashlib heapq hmac html html.entities html.parser
    importlib importlib.abc importlib.machinery importlib.util inspect io ipaddress itertools json json.decoder
    json.encoder keyword linecache locale logging marshal math mimetypes numbers opcode operator os
    os.path pathlib pickle pkgutil platform plistlib posixpath pprint queue quopri random re reprlib secrets shlex shutil
    stat statistics string string.templatelib stringprep struct sys tarfile tempfile textwrap time timeit token tokenize
    tomllib traceback types typing unicodedata urllib urllib.parse uuid warnings weakref xml xml.dom xml.dom.minidom
    xml.dom.pulldom xml.etree xml.etree.ElementTree xml.parsers.expat xml.sax xml.sax.expatreader xml.sax.handler
    xml.sax.saxutils xml.sax.xmlreader zipfile zlib
"""

LATER = "_strptime _pydecimal _colorize _weakrefset _compat_pickle"
"""What those import only when it is needed."""

ELSEWHERE = {"bz2_codec", "mbcs", "oem"}
"""Encodings that need what is not there."""


def load() -> None:
    """Imports all of it; fails if anything is not there."""
    for name in (MODULES + LATER).split():
        importlib.import_module(name)
    for module in pkgutil.iter_modules(encodings.__path__):
        if module.name not in ELSEWHERE:
            importlib.import_module(f"encodings.{module.name}")
