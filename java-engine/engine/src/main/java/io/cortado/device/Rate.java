package io.cortado.device;

import java.util.Locale;

/**
 * A rate of a device that {@link RateMeter} measures: of one operator, by its size. What is told of
 * an operator is beyond its {@link Overhead}, so that it can be taken for other shapes.
 */
public sealed interface Rate {
    /** Names it in files; the same for equal rates only. */
    String name();

    /** A floor: bytes or operations per second. */
    record Peak(Probe probe) implements Rate {
        @Override
        public String name() {
            return "peak/" + lower(probe);
        }
    }

    /**
     * Seconds of an operation that has next to nothing to do.
     *
     * @param isShared all threads take part in it
     */
    record Overhead(boolean isShared) implements Rate {
        @Override
        public String name() {
            return "overhead/" + (isShared ? "shared" : "single");
        }
    }

    /** Seconds from handing over a recorded operation to knowing that it has run. */
    record Turnaround() implements Rate {
        @Override
        public String name() {
            return "turnaround";
        }
    }

    /** Seconds of a copy from the device to host memory that it reaches, by bytes. */
    record HostCopy() implements Rate {
        @Override
        public String name() {
            return "host-copy";
        }
    }

    /** Seconds for one weight of a matrix that lies in memory, by rows of activations. */
    record Linear(WeightFormat format, DType dtype) implements Rate {
        @Override
        public String name() {
            return "linear/" + lower(format) + "/" + lower(dtype);
        }
    }

    /** Operations that pass over rows once. */
    enum RowOperation {
        EMBEDDING,
        NORM,
        ROPE,
        ACTIVATION
    }

    /** Seconds for one column, by rows. */
    record Rows(RowOperation operation, DType dtype) implements Rate {
        @Override
        public String name() {
            return "rows/" + lower(operation) + "/" + lower(dtype);
        }
    }

    /**
     * Heads and types, which decide how fast attention is.
     *
     * @param valuesInKeys a value is the first so many elements of its key; 0: it lies beside it
     */
    record Attention(
            int numQHeads,
            int numKvHeads,
            int headDim,
            int valuesInKeys,
            DType dtype,
            DType kvDtype) {
        int valueDim() {
            return valuesInKeys > 0 ? valuesInKeys : headDim;
        }

        String name() {
            String dims = valuesInKeys > 0 ? headDim + "(" + valuesInKeys + ")" : "" + headDim;
            return "%dx%dx%s/%s/%s"
                    .formatted(numQHeads, numKvHeads, dims, lower(dtype), lower(kvDtype));
        }
    }

    /** Seconds of one layer's attention of so many sequences that decode, by keys of each. */
    record Decode(Attention attention, int numSeqs) implements Rate {
        @Override
        public String name() {
            return "decode/" + attention.name() + "/" + numSeqs;
        }
    }

    /** Seconds for one pair of a query's token and a key's, by tokens of the prompt. */
    record Prefill(Attention attention) implements Rate {
        @Override
        public String name() {
            return "prefill/" + attention.name();
        }
    }

    /** Seconds for one logit of a greedy draw, by rows. */
    record Draw() implements Rate {
        @Override
        public String name() {
            return "draw";
        }
    }

    private static String lower(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
