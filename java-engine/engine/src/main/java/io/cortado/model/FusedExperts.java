package io.cortado.model;

import io.cortado.device.Scratch;
import io.cortado.device.WeightFormat;
import io.cortado.device.Weights;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A checkpoint that may hold all experts of a layer in one tensor, {@code experts.gate_up_proj} and
 * {@code experts.down_proj}; shows each expert's matrices and biases under names of their own.
 */
final class FusedExperts implements TensorSource {
    private static final Pattern OF_EXPERT =
            Pattern.compile("(.*experts\\.)(\\d+)\\.(\\w+)\\.(weight|bias)");

    /** Columns of a block of MXFP4 and bytes of their codes (OCP Microscaling Formats 1.0). */
    private static final int BLOCK = 32;

    private static final int CODE_BYTES = BLOCK / 2;

    private final Checkpoint checkpoint;
    private final ExpertNames names;
    private final long numExperts;
    private Scratch scratch = new Scratch();

    FusedExperts(Checkpoint checkpoint, DecoderShape.Experts experts) {
        this.checkpoint = checkpoint;
        names = experts.names();
        numExperts = experts.shape().numExperts();
    }

    /**
     * One expert's part of a fused tensor.
     *
     * @param tensor its name without what tells codes, scales and biases apart
     * @param ofTwo gate: 0 and up: 1, of the two in one tensor; down: 0 of one
     * @param count of them in the tensor
     */
    private record Place(String tensor, int expert, int ofTwo, int count, boolean isBias) {}

    /** Null: not an expert's, or stored on its own. */
    private @Nullable Place place(String name) {
        Matcher m = OF_EXPERT.matcher(name);
        if (!m.matches()) {
            return null;
        }
        String matrix = m.group(3);
        boolean isDown = matrix.equals(names.down());
        Place place =
                new Place(
                        m.group(1) + (isDown ? "down_proj" : "gate_up_proj"),
                        Integer.parseInt(m.group(2)),
                        matrix.equals(names.up()) ? 1 : 0,
                        isDown ? 1 : 2,
                        m.group(4).equals("bias"));
        String stored = place.tensor;
        boolean isFused = checkpoint.has(stored) || checkpoint.has(stored + "_blocks");
        return isFused ? place : null;
    }

    private boolean isPacked(Place place) {
        return checkpoint.has(place.tensor + "_blocks");
    }

    @Override
    public void require(Map<String, List<Long>> shapes) {
        Map<String, List<Long>> stored = new LinkedHashMap<>();
        shapes.forEach((name, shape) -> {
            Place place = place(name);
            if (place == null) {
                stored.put(name, shape);
            } else if (place.isBias) {
                stored.put(
                        place.tensor + "_bias",
                        List.of(numExperts, place.count * shape.getFirst()));
            } else {
                matrixNeeds(stored, place, shape.getFirst(), shape.getLast());
            }
        });
        checkpoint.require(stored);
    }

    private void matrixNeeds(Map<String, List<Long>> stored, Place place, long rows, long cols) {
        if (isPacked(place)) {
            stored.put(place.tensor + "_blocks", List.of(blocks(place, rows, cols)));
            stored.put(
                    place.tensor + "_scales",
                    List.of(numExperts, place.count * rows, cols / BLOCK));
        } else {
            stored.put(place.tensor, List.of(fused(place, rows, cols)));
        }
    }

    private Long[] fused(Place place, long rows, long cols) {
        return names.fused() == ExpertNames.Fused.HALVES
                ? new Long[] {numExperts, place.count * rows, cols}
                : new Long[] {numExperts, cols, place.count * rows};
    }

    private Long[] blocks(Place place, long rows, long cols) {
        return new Long[] {numExperts, place.count * rows, cols / BLOCK, (long) CODE_BYTES};
    }

    private static long[] plain(Long... shape) {
        long[] plain = new long[shape.length];
        for (int i = 0; i < shape.length; i++) {
            plain[i] = shape[i];
        }
        return plain;
    }

    @Override
    public Weights.Part matrix(String name, long rows, long cols) {
        Place place = place(name);
        if (place == null) {
            return checkpoint.matrix(name, rows, cols);
        }
        if (isPacked(place)) {
            return mxfp4(place, rows, cols);
        }
        Tensor all = checkpoint.take(place.tensor, plain(fused(place, rows, cols)));
        return new Tensor(name, all.type(), List.of(rows, cols), elements(all, place, rows, cols))
                .asMatrix();
    }

    @Override
    public Weights.Shape shapeOf(String name, long rows, long cols) {
        Place place = place(name);
        if (place == null) {
            return checkpoint.shapeOf(name, rows, cols);
        }
        if (isPacked(place)) {
            return new Weights.Shape(rows, WeightFormat.MXFP4);
        }
        Tensor all = checkpoint.take(place.tensor, plain(fused(place, rows, cols)));
        return new Tensor(name, all.type(), List.of(rows, cols), all.data()).asMatrix().shape();
    }

    /** [rows][cols] of one expert's gate, up or down. */
    private MemorySegment elements(Tensor all, Place place, long rows, long cols) {
        long ofExpert = place.count * rows * cols;
        long bytes = all.data().byteSize() / (numExperts * ofExpert);
        long at = place.expert * ofExpert * bytes;
        if (names.fused() == ExpertNames.Fused.HALVES) {
            return all.data().asSlice(at + place.ofTwo * rows * cols * bytes, rows * cols * bytes);
        }
        MemorySegment to = scratch.allocate(rows * cols * bytes);
        MemorySegment from = all.data().asSlice(at, ofExpert * bytes);
        for (long col = 0; col < cols; col++) {
            long rowOfTwo = col * place.count * rows + place.ofTwo;
            for (long row = 0; row < rows; row++) {
                copyElement(
                        from,
                        (rowOfTwo + row * place.count) * bytes,
                        to,
                        (row * cols + col) * bytes,
                        bytes);
            }
        }
        return to;
    }

    private static void copyElement(
            MemorySegment from, long fromByte, MemorySegment to, long toByte, long bytes) {
        if (bytes == 2) {
            to.set(
                    ValueLayout.JAVA_SHORT_UNALIGNED,
                    toByte,
                    from.get(ValueLayout.JAVA_SHORT_UNALIGNED, fromByte));
        } else {
            MemorySegment.copy(from, fromByte, to, toByte, bytes);
        }
    }

    /** As ggml stores it: a block's scale, then codes j and j + 16 in one byte. */
    private Weights.Part mxfp4(Place place, long rows, long cols) {
        if (cols % BLOCK != 0) {
            throw ModelException.unsupported(
                    "%s_blocks: columns must be a multiple of %d: %d"
                            .formatted(place.tensor, BLOCK, cols));
        }
        MemorySegment codes = bytes(place.tensor + "_blocks", plain(blocks(place, rows, cols)));
        MemorySegment scales =
                bytes(place.tensor + "_scales", numExperts, place.count * rows, cols / BLOCK);
        long perRow = cols / BLOCK;
        MemorySegment to = scratch.allocate(rows * perRow * (1 + CODE_BYTES));
        long first = place.expert * place.count * rows + place.ofTwo;
        long at = 0;
        for (long row = 0; row < rows; row++) {
            long block = (first + row * place.count) * perRow;
            for (long i = 0; i < perRow; i++, block++) {
                to.set(ValueLayout.JAVA_BYTE, at++, scales.get(ValueLayout.JAVA_BYTE, block));
                byHalves(to, at, codes, block * CODE_BYTES);
                at += CODE_BYTES;
            }
        }
        return new Weights.Part(to, rows, WeightFormat.MXFP4);
    }

    /** Codes 2j and 2j + 1 share a byte in the source. */
    private static void byHalves(MemorySegment to, long at, MemorySegment from, long first) {
        for (int j = 0; j < CODE_BYTES; j++) {
            int low = code(from, first, j);
            int high = code(from, first, j + CODE_BYTES);
            to.set(ValueLayout.JAVA_BYTE, at + j, (byte) (low | high << 4));
        }
    }

    private static int code(MemorySegment from, long first, int element) {
        int both = from.get(ValueLayout.JAVA_BYTE, first + element / 2);
        return both >> 4 * (element % 2) & 0xf;
    }

    private MemorySegment bytes(String name, long... shape) {
        Tensor tensor = checkpoint.stored(name, shape);
        if (tensor.type() != TensorType.U8) {
            throw ModelException.unsupported(name + " must be U8: " + tensor.type());
        }
        return tensor.data();
    }

    @Override
    public Tensor take(String name, long... shape) {
        Place place = place(name);
        if (place == null || !place.isBias) {
            return checkpoint.take(name, shape);
        }
        long rows = shape[0];
        Tensor all = checkpoint.take(place.tensor + "_bias", numExperts, place.count * rows);
        long bytes = all.data().byteSize() / (numExperts * place.count * rows);
        MemorySegment to = scratch.allocate(rows * bytes);
        boolean alternates = names.fused() == ExpertNames.Fused.ALTERNATING;
        long first = place.expert * place.count * rows + place.ofTwo * (alternates ? 1 : rows);
        for (long i = 0; i < rows; i++) {
            long from = first + i * (alternates ? place.count : 1);
            copyElement(all.data(), from * bytes, to, i * bytes, bytes);
        }
        return new Tensor(name, all.type(), List.of(rows), to);
    }

    @Override
    public long bytes() {
        return checkpoint.bytes();
    }

    @Override
    public void release() {
        scratch.close();
        scratch = new Scratch();
        checkpoint.release();
    }

    @Override
    public void requireAllTaken(Set<String> optional) {
        checkpoint.requireAllTaken(optional);
    }

    @Override
    public void close() {
        scratch.close();
        checkpoint.close();
    }
}
