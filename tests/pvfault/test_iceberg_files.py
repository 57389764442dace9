"""Files of a table's bookkeeping that are not whole, made by another writer of Avro than Iceberg's."""

import io

import fastavro
import pytest

from pvfault.iceberg_files import (
    DamagedTableError,
    Manifest,
    is_whole_avro,
    require_whole_snapshot,
)

SCHEMA = {"type": "record", "name": "r", "fields": [{"name": "path", "type": "string"}]}


def avro(rows, **options):
    buffer = io.BytesIO()
    fastavro.writer(buffer, SCHEMA, [{"path": "warehouse/pvfault/readings/" * 20}] * rows, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_file_is_whole_at_the_end_of_a_block_and_nowhere_else(codec):
    content = avro(200, codec=codec, sync_interval=16_000)
    ends = {len(avro(0))} if codec == "null" else set()
    sync = content[-16:]
    place = content.find(sync)
    while place >= 0:
        ends.add(place + 16)
        place = content.find(sync, place + 1)
    assert len(ends) > 2
    assert {n for n in range(len(content) + 1) if is_whole_avro(content[:n])} == ends


@pytest.mark.parametrize("content", [b"", b"Obj\x01", b"\0" * 5000, b"Obj\x01" + b"\xff" * 500])
def test_what_is_no_avro_is_not_whole(content):
    assert not is_whole_avro(content)


def test_a_list_and_its_manifests_are_refused_by_name(tmp_path):
    listed, manifest = tmp_path / "snap-1.avro", tmp_path / "m0.avro"
    listed.write_bytes(avro(2))
    manifest.write_bytes(avro(3))
    length = manifest.stat().st_size

    def check(length=length, files=3, counted=3):
        named = [Manifest(manifest.as_uri(), length, files)]
        require_whole_snapshot("readings", listed.as_uri(), lambda: named, counted)

    check()
    check(counted=None)
    with pytest.raises(DamagedTableError, match=r"readings: the manifest list .*snap-1.avro names 2 files, expected 3"):
        check(files=2)
    with pytest.raises(DamagedTableError, match=rf"the manifest .*m0.avro has {length} bytes, expected {length + 1}"):
        check(length=length + 1)
    manifest.unlink()
    with pytest.raises(DamagedTableError, match=r"the manifest .*m0.avro is not there.*pvfault catalog restore"):
        check()
    listed.write_bytes(avro(2)[:-1])
    with pytest.raises(DamagedTableError, match=r"the manifest list .*snap-1.avro is cut off"):
        check()
    listed.unlink()
    with pytest.raises(DamagedTableError, match=r"the manifest list .*snap-1.avro is not there"):
        check()


def test_files_on_s3_are_not_asked_about():
    """S3 has an object whole or not at all, and a question for each would take longer than reading them."""
    require_whole_snapshot("readings", "s3://raw/snap-1.avro", lambda: pytest.fail("the list was read"), 2)
