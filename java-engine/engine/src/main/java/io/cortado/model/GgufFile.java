package io.cortado.model;

import io.cortado.device.MappedFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A GGUF file of version 2 or 3, mapped. Everything in its head is checked before a tensor can be
 * asked for: the tensors have whole blocks, follow each other without hole or overlap, as ggml
 * demands it, and end within the file.
 */
final class GgufFile implements AutoCloseable {
    private static final int MAGIC = 'G' | 'G' << 8 | 'U' << 16 | 'F' << 24;
    private static final long DEFAULT_ALIGNMENT = 32;
    private static final long MAX_ALIGNMENT = 1 << 16;
    private static final int MAX_TENSORS = 1 << 17;
    private static final int MAX_NAME_BYTES = 63;
    private static final int MAX_DIMENSIONS = 4;

    /** A name's length, one letter, the number of dimensions, type and offset. */
    private static final int LEAST_BYTES_OF_INFO = 8 + 1 + 4 + 4 + 8;

    /**
     * A tensor as it is stored.
     *
     * @param shape from the slowest dimension to the one that is contiguous: {@code ne} reversed
     */
    record Stored(String name, GgufType type, List<Long> shape, MemorySegment data) {}

    private final Path path;
    private final MappedFile file;
    private final GgufMetadata metadata;
    private final Map<String, Stored> tensors;

    private GgufFile(
            Path path, MappedFile file, GgufMetadata metadata, Map<String, Stored> tensors) {
        this.path = path;
        this.file = file;
        this.metadata = metadata;
        this.tensors = tensors;
    }

    static GgufFile open(Path path) {
        MappedFile file;
        try {
            file = MappedFile.open(path);
        } catch (IOException e) {
            throw ModelException.invalid("cannot read " + path + ": " + e, e);
        }
        boolean opened = false;
        try {
            Head head = parse(file.bytes());
            GgufFile gguf = new GgufFile(path, file, head.metadata, head.tensors);
            opened = true;
            return gguf;
        } catch (ModelException e) {
            throw e.at(path.toString());
        } finally {
            if (!opened) {
                file.close();
            }
        }
    }

    /** What comes before the tensors' bytes, and where these lie. */
    record Head(GgufMetadata metadata, Map<String, Stored> tensors) {}

    static Head parse(MemorySegment bytes) {
        GgufCursor cursor = new GgufCursor(bytes, 0);
        int magic = cursor.int32("magic");
        if (magic != MAGIC) {
            throw GgufCursor.malformed("magic must be GGUF: 0x%08x".formatted(magic));
        }
        requireVersion(cursor.int32("version"));
        long tensorCount = cursor.count("tensor_count", LEAST_BYTES_OF_INFO);
        if (tensorCount > MAX_TENSORS) {
            throw GgufCursor.malformed(
                    "tensor_count must be at most " + MAX_TENSORS + ": " + tensorCount);
        }
        long keyCount = GgufMetadata.readCount(cursor);
        GgufMetadata metadata = GgufMetadata.read(bytes, cursor, keyCount);
        long alignment = alignment(metadata);
        List<Info> infos = new ArrayList<>();
        for (long i = 0; i < tensorCount; i++) {
            infos.add(info(cursor, i));
        }
        long start = aligned(cursor.at(), alignment);
        return new Head(metadata, place(bytes, infos, start, alignment));
    }

    private static void requireVersion(int version) {
        if (version == 2 || version == 3) {
            return;
        }
        int swapped = Integer.reverseBytes(version);
        if (swapped >= 1 && swapped <= 3) {
            throw ModelException.unsupported(
                    "version "
                            + swapped
                            + " of a big-endian GGUF file: only little-endian is read");
        }
        String text = "GGUF version must be 2 or 3: version=" + Integer.toUnsignedString(version);
        throw version == 1 ? ModelException.unsupported(text) : GgufCursor.malformed(text);
    }

    private static long alignment(GgufMetadata metadata) {
        String key = "general.alignment";
        if (!metadata.has(key)) {
            return DEFAULT_ALIGNMENT;
        }
        if (!metadata.isUint32(key)) {
            throw GgufCursor.malformed(key + " must be a number of type UINT32");
        }
        long value = metadata.integers(key) instanceof Long l ? l : 0;
        if (value < 8 || value > MAX_ALIGNMENT || Long.bitCount(value) != 1) {
            throw GgufCursor.malformed(
                    "%s must be a power of two in [8, %d]: %d"
                            .formatted(key, MAX_ALIGNMENT, value));
        }
        return value;
    }

    /** What the file's table says of a tensor. */
    private record Info(String name, GgufType type, List<Long> shape, long bytes, long offset) {}

    private static Info info(GgufCursor cursor, long index) {
        String name = cursor.string("name of tensor " + index, MAX_NAME_BYTES);
        if (name.isEmpty()) {
            throw GgufCursor.malformed("name of tensor " + index + " is empty");
        }
        long dimensions = cursor.uint32("n_dimensions of " + name);
        if (dimensions > MAX_DIMENSIONS) {
            throw GgufCursor.malformed(
                    "%s must have at most %d dimensions: n_dimensions=%d"
                            .formatted(name, MAX_DIMENSIONS, dimensions));
        }
        List<Long> shape = new ArrayList<>();
        for (int i = 0; i < dimensions; i++) {
            shape.add(cursor.int64("dimension " + i + " of " + name));
        }
        long code = cursor.uint32("type of " + name);
        GgufType type = GgufType.find(code);
        if (type == null) {
            throw GgufCursor.malformed("%s has the unknown type %d".formatted(name, code));
        }
        long bytes = bytes(name, type, shape);
        Collections.reverse(shape);
        return new Info(name, type, List.copyOf(shape), bytes, cursor.int64("offset of " + name));
    }

    private static long bytes(String name, GgufType type, List<Long> ne) {
        for (long dimension : ne) {
            if (dimension < 1) {
                throw GgufCursor.malformed(
                        "the dimensions of %s must be in [1, 2^63): %s".formatted(name, ne));
            }
        }
        long row = ne.isEmpty() ? 1 : ne.getFirst();
        if (row % type.blockElements() != 0) {
            throw GgufCursor.malformed(
                    "the first dimension of %s must be a multiple of %d, a block of %s: %d"
                            .formatted(name, type.blockElements(), type, row));
        }
        try {
            long bytes = type.rowBytes(row);
            for (int i = 1; i < ne.size(); i++) {
                bytes = Math.multiplyExact(bytes, ne.get(i));
            }
            return bytes;
        } catch (ArithmeticException _) {
            throw GgufCursor.malformed(
                    "the dimensions of %s ask for more than 2^63 bytes: %s".formatted(name, ne));
        }
    }

    private static Map<String, Stored> place(
            MemorySegment file, List<Info> infos, long start, long alignment) {
        Map<String, Stored> tensors = new LinkedHashMap<>();
        long dataBytes = Math.max(0, file.byteSize() - start);
        long end = 0;
        for (Info info : infos) {
            if (info.offset != end) {
                throw GgufCursor.malformed(
                        "offset of %s must be %d, where the tensor before it ends: %s"
                                .formatted(info.name, end, Long.toUnsignedString(info.offset)));
            }
            if (info.bytes > dataBytes - info.offset) {
                throw GgufCursor.malformed(
                        "%s needs %d bytes at offset %d, the file has %d there"
                                .formatted(
                                        info.name,
                                        info.bytes,
                                        info.offset,
                                        Math.max(0, dataBytes - info.offset)));
            }
            MemorySegment data = file.asSlice(start + info.offset, info.bytes);
            Stored stored = new Stored(info.name, info.type, info.shape, data);
            if (tensors.put(info.name, stored) != null) {
                throw GgufCursor.malformed("tensor " + info.name + " is there twice");
            }
            end = aligned(info.offset + info.bytes, alignment);
        }
        return tensors;
    }

    /** Both are below the file's size, or end at it. */
    private static long aligned(long value, long alignment) {
        return (value + alignment - 1) & -alignment;
    }

    Path path() {
        return path;
    }

    GgufMetadata metadata() {
        return metadata;
    }

    /** In the order of the file. */
    Map<String, Stored> tensors() {
        return tensors;
    }

    @Override
    public void close() {
        file.close();
    }
}
