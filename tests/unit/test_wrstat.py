"""wrstat's files: what is written is what is read, in both generations, to the last byte."""

import base64
import gzip
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterhub_efs_quota.errors import ScanError
from jupyterhub_efs_quota.measure.scans.wrstat import (
    BASE64,
    KINDS,
    QUOTED,
    entries,
    make_line,
    parse_line,
    quote,
)

from .strategies import file_names

# As wrstat wrote it in 2022, and as it writes it since.
OLD = (
    b"L2x1c3RyZS9zY3JhdGNoMTIzL2hnaS9wcm9qZWN0cy9wcm9qX2EvdXNlcnMvYWIxMi9zMS5jcmFt\t1048576\t12345"
    b"\t678\t1654000000\t1653000000\t1653000000\tf\t144115205272502274\t1\t2442450944"
)
NEW = b'"/home/a\\"b\\xff\\u202e\xc3\xa9/"\t4096\t0\t0\t-1\t5\t6\td\t7\t2\t65024\t123'

paths = st.lists(file_names, max_size=5).map(lambda names: b"/" + b"/".join(names))
times = st.integers(-(2**40), 2**40)
sizes = st.integers(0, 2**60)


@st.composite
def stats(draw):
    """What a file system may tell of a file or folder."""
    return os.stat_result(
        (
            draw(st.sampled_from([kind for kind in KINDS.values() if kind])) | 0o644,
            *(draw(st.integers(0, 2**64 - 1)), draw(st.integers(0, 2**64 - 1))),
            *(draw(st.integers(1, 2**32)), draw(sizes), draw(sizes), draw(sizes)),
            *(draw(times), draw(times), draw(times)),
        ),
        {"st_blocks": draw(st.integers(0, 2**50))},
    )


def write(path, *lines, pack=False):
    content = b"".join(line + b"\n" for line in lines)
    path.write_bytes(gzip.compress(content) if pack else content)
    return str(path)


def read(path):
    return [entry for _, entry in entries(str(path))]


@given(paths, stats(), st.sampled_from([QUOTED, BASE64]))
def test_what_is_written_is_what_is_read(path, found, form):
    line = make_line(path, found, form)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    entry = parse_line(line[:-1])
    on_disk = found.st_blocks * 512
    assert entry.path == path
    assert entry.size == (on_disk if form == QUOTED else min(found.st_size, on_disk))
    assert entry.apparent == (found.st_size if form == QUOTED else None)
    assert entry.kind == stat.S_IFMT(found.st_mode)
    assert (entry.uid, entry.gid) == (found.st_uid, found.st_gid)
    assert (entry.accessed, entry.modified, entry.changed) == found[7:10]
    assert (entry.inode, entry.links, entry.device) == (
        found.st_ino,
        found.st_nlink,
        found.st_dev,
    )


@given(st.binary(max_size=200).map(lambda some: b"/" + some.replace(b"\0", b"")))
def test_any_path_can_be_quoted(path):
    quoted = quote(path)
    assert b"\n" not in quoted
    assert b"\t" not in quoted
    assert parse_line(quoted + OLD[OLD.index(b"\t") :]).path == (path.rstrip(b"/") or b"/")


def test_lines_of_both_generations_are_read():
    old, new = parse_line(OLD), parse_line(NEW)
    assert old.path == b"/lustre/scratch123/hgi/projects/proj_a/users/ab12/s1.cram"
    assert (old.size, old.apparent, old.kind, old.device) == (
        *(1048576, None, stat.S_IFREG),
        2442450944,
    )
    assert new.path == b'/home/a"b\xff\xe2\x80\xae\xc3\xa9'
    assert (new.size, new.apparent, new.kind, new.accessed) == (4096, 123, stat.S_IFDIR, -1)


def test_a_folder_is_written_as_each_generation_has_it(tmp_path):
    found = tmp_path.stat()
    path = os.fsencode(tmp_path)
    assert make_line(path, found).startswith(b'"' + path + b'/"\t')
    assert make_line(path, found, BASE64).startswith(base64.b64encode(path) + b"\t")
    assert make_line(b"/", found).startswith(b'"/"\t')


def test_what_go_escapes_is_read_as_go_means_it():
    text = rb'"/\a\b\f\n\r\t\v\\\"\x41\u00e9\U0001f600\101"'
    assert parse_line(text + OLD[OLD.index(b"\t") :]).path == (
        b'/\a\b\f\n\r\t\v\\"A' + "é😀A".encode()
    )


@pytest.mark.parametrize(
    "line, wrong",
    [
        (b"", "1 columns"),
        (b"a\tb", "2 columns with a tab between them, not 11 or 12"),
        (NEW.replace(b"\t4096", b"\t4_096"), "size b'4_096'"),
        (NEW.replace(b"\t4096", b"\t-1"), "a number is out of range"),
        (NEW.replace(b"\t4096", b"\t" + b"9" * 30), "size b'999"),
        (NEW.replace(b"\td\t", b"\tD\t"), "type b'D'"),
        (NEW.replace(b"/home", b"home"), "no absolute path"),
        (NEW.replace(b"home", b"\\x00"), "no absolute path"),
        (NEW.replace(b"\\xff", b"\\q"), "an escape that Go does not know"),
        (NEW.replace(b"\\u202e", b"\\ud800"), "a character that does not exist"),
        (NEW.replace(b"\\u202e", b"\\Uffffffff"), "a character that does not exist"),
        (NEW.replace(b'"', b""), "neither quoted nor in base64"),
        (OLD.replace(b"L2x1", b"L2x"), "no base64"),
        (OLD.replace(b"L2x1", b"L2-_"), "neither quoted nor in base64"),
        (OLD + b"\t1\t2", "13 columns"),
    ],
)
def test_a_line_that_makes_no_sense_is_named_with_its_number(tmp_path, line, wrong):
    path = write(tmp_path / "scan", NEW, line)
    with pytest.raises(ScanError) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}, line 2: ")
    assert wrong in str(refused.value)


@pytest.mark.parametrize("pack", [False, True])
def test_a_scan_is_read_whether_it_is_packed_or_not(tmp_path, pack):
    assert read(write(tmp_path / "scan", OLD, NEW, pack=pack)) == [parse_line(OLD), parse_line(NEW)]


def test_a_scan_packed_in_several_pieces_is_read_whole(tmp_path):
    path = tmp_path / "scan.gz"
    path.write_bytes(gzip.compress(OLD + b"\n") + gzip.compress(NEW + b"\n"))
    assert read(path) == [parse_line(OLD), parse_line(NEW)]


def test_a_scan_that_ends_within_a_line_is_refused(tmp_path):
    path = tmp_path / "scan"
    path.write_bytes(OLD + b"\n" + NEW)
    with pytest.raises(ScanError, match="line 2: the scan ends within a line. It was cut off"):
        read(path)


@pytest.mark.parametrize("missing", [1, 5, 9, 30])
def test_a_packed_scan_that_was_cut_off_is_refused(tmp_path, missing):
    path = tmp_path / "scan.gz"
    path.write_bytes(gzip.compress(OLD + b"\n" + NEW + b"\n")[:-missing])
    with pytest.raises(ScanError, match="It was cut off"):
        read(path)


def test_a_packed_scan_that_was_damaged_is_refused(tmp_path):
    path = tmp_path / "scan.gz"
    packed = bytearray(gzip.compress(b"".join([OLD + b"\n"] * 1000)))
    packed[-8] ^= 1
    path.write_bytes(packed)
    with pytest.raises(ScanError, match="is damaged after line"):
        read(path)


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "scan.gz"
    path.write_bytes(gzip.compress(b"a" * 50_000_000))
    with pytest.raises(ScanError, match="line 1: the scan ends within a line"):
        read(path)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, wrong in [("", "is no file"), ("pipe", "is no file"), ("none", "No such file")]:
        with pytest.raises(ScanError, match=wrong):
            read(tmp_path / name)
