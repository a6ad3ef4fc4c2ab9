package io.cortado.model;

import io.cortado.device.MappedFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;

/**
 * A safetensors file, mapped. Everything is checked before a tensor can be asked for: the tensors
 * have the bytes that dtype and shape say, and tile the file without hole, overlap or rest.
 */
public final class SafetensorsFile implements AutoCloseable {
    private static final long MAX_HEADER_BYTES = 100_000_000;
    private static final ValueLayout.OfLong LENGTH =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MappedFile file;
    private final Map<String, Tensor> tensors;

    private SafetensorsFile(MappedFile file, Map<String, Tensor> tensors) {
        this.file = file;
        this.tensors = tensors;
    }

    public static SafetensorsFile open(Path path) {
        MappedFile file = map(path);
        boolean opened = false;
        try {
            SafetensorsFile safetensors = new SafetensorsFile(file, parse(file.bytes()));
            opened = true;
            return safetensors;
        } catch (ModelException e) {
            throw e.at(path.toString());
        } finally {
            if (!opened) {
                file.close();
            }
        }
    }

    Map<String, Tensor> tensors() {
        return tensors;
    }

    @Override
    public void close() {
        file.close();
    }

    private static MappedFile map(Path path) {
        try {
            return MappedFile.open(path);
        } catch (IOException e) {
            throw ModelException.invalid("cannot read " + path + ": " + e, e);
        }
    }

    /** The tensors of a file's bytes, or an error that names what is wrong with them. */
    static Map<String, Tensor> parse(MemorySegment bytes) {
        try {
            return tensors(bytes);
        } catch (JacksonException e) {
            throw ModelException.invalid("malformed safetensors: " + e.getOriginalMessage(), e);
        }
    }

    private static Map<String, Tensor> tensors(MemorySegment bytes) {
        if (bytes.byteSize() < 8) {
            throw SafetensorsHeader.malformed("has " + bytes.byteSize() + " bytes, at least 8");
        }
        long headerBytes = bytes.get(LENGTH, 0);
        long limit = Math.min(MAX_HEADER_BYTES, bytes.byteSize() - 8);
        if (headerBytes < 2 || headerBytes > limit) {
            refusePickle(bytes);
            throw SafetensorsHeader.malformed(
                    "header length must be in [2, %d]: %s"
                            .formatted(limit, Long.toUnsignedString(headerBytes)));
        }
        byte[] header = bytes.asSlice(8, headerBytes).toArray(ValueLayout.JAVA_BYTE);
        if (header[0] != '{') {
            refusePickle(bytes);
            throw SafetensorsHeader.malformed("header must begin with {");
        }
        if (header[1] == 0) { // a parser of JSON would take it for UTF-16
            throw SafetensorsHeader.malformed("header must be UTF-8");
        }
        List<SafetensorsHeader.Entry> entries;
        try (JsonParser parser = JsonFile.MAPPER.createParser(header)) {
            entries = SafetensorsHeader.parse(parser);
        }
        requireTiling(entries, bytes.byteSize() - 8 - headerBytes);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (SafetensorsHeader.Entry e : entries) {
            MemorySegment data = bytes.asSlice(8 + headerBytes + e.begin(), e.end() - e.begin());
            tensors.put(e.name(), new Tensor(e.name(), e.type(), e.shape(), data));
        }
        return tensors;
    }

    /** By its magic, once it is known not to be safetensors. */
    private static void refusePickle(MemorySegment bytes) {
        int first = bytes.get(ValueLayout.JAVA_BYTE, 0) & 0xFF;
        int second = bytes.get(ValueLayout.JAVA_BYTE, 1) & 0xFF;
        boolean isPickle = first == 0x80 && second >= 2 && second <= 5;
        boolean isZip = first == 'P' && second == 'K' && bytes.get(ValueLayout.JAVA_BYTE, 2) == 3;
        if (isPickle || isZip) {
            throw SafetensorsHeader.malformed(
                    "is %s under another name, which is refused because reading it runs code"
                            .formatted(isZip ? "a zip archive, as PyTorch writes," : "a pickle"));
        }
    }

    private static void requireTiling(List<SafetensorsHeader.Entry> entries, long dataBytes) {
        List<SafetensorsHeader.Entry> sorted = new ArrayList<>(entries);
        sorted.sort(
                Comparator.comparingLong(SafetensorsHeader.Entry::begin)
                        .thenComparingLong(SafetensorsHeader.Entry::end));
        long end = 0;
        for (SafetensorsHeader.Entry e : sorted) {
            String name = SafetensorsHeader.shortened(e.name());
            if (e.begin() > e.end() || e.end() > dataBytes) {
                throw SafetensorsHeader.malformed(
                        "tensor %s has data_offsets [%d, %d], the data have %d bytes"
                                .formatted(name, e.begin(), e.end(), dataBytes));
            }
            if (e.begin() != end) {
                throw SafetensorsHeader.malformed(
                        "tensor %s begins at %d, the one before ends at %d"
                                .formatted(name, e.begin(), end));
            }
            requireSize(e, name);
            end = e.end();
        }
        if (end != dataBytes) {
            throw SafetensorsHeader.malformed(
                    "the last tensor ends at %d, the data at %d".formatted(end, dataBytes));
        }
    }

    private static void requireSize(SafetensorsHeader.Entry e, String name) {
        long needed = e.type().bytes();
        try {
            for (long dimension : e.shape()) {
                needed = Math.multiplyExact(needed, dimension);
            }
        } catch (ArithmeticException _) {
            throw SafetensorsHeader.malformed(
                    "tensor " + name + " is larger than any memory: shape=" + e.shape());
        }
        if (needed != e.end() - e.begin()) {
            throw SafetensorsHeader.malformed(
                    "tensor %s of %s %s needs %d bytes and has %d"
                            .formatted(name, e.type(), e.shape(), needed, e.end() - e.begin()));
        }
    }
}
