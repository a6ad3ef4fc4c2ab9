package io.cortado.model;

import io.cortado.device.Buffer;
import io.cortado.device.DType;
import io.cortado.device.Device;
import io.cortado.device.ResourceStack;
import org.jspecify.annotations.Nullable;

/** What the layers have of each token of a step, or of a micro-batch, between two operations. */
final class TokenBuffers implements AutoCloseable {
    private final ResourceStack owned = new ResourceStack();
    private final Device device;
    private long bytes;

    /** float32 [tokens][hidden]: the residual stream. */
    final Buffer residual;

    /** [tokens][hidden]: what a block adds to the residual stream. */
    final Buffer hidden;

    final Buffer normed;
    final Buffer qkv;

    /** The keys in {@link #qkv}, for norms over all heads. Null: there are none. */
    final @Nullable Buffer keys;

    final Buffer attended;

    /** [tokens][2 * intermediate]: gate and up, then their product in the first half. */
    final Buffer gateUp;

    /** float32 [tokens]: what gates a shared expert. Null: none is gated. */
    final @Nullable Buffer sharedGate;

    TokenBuffers(Device device, DecoderShape shape, DType dtype, int maxTokens) {
        this.device = device;
        long width = shape.hiddenSize();
        boolean built = false;
        try {
            residual = create(maxTokens, width, DType.F32);
            hidden = create(maxTokens, width, dtype);
            normed = create(maxTokens, width, dtype);
            qkv = create(maxTokens, shape.qkvSize(), dtype);
            keys = keys(qkv, shape, dtype);
            attended = create(maxTokens, shape.attendedSize(), dtype);
            gateUp = create(maxTokens, 2L * Math.max(1, shape.widestMlp()), dtype);
            sharedGate = hasSharedGate(shape) ? create(maxTokens, 1, DType.F32) : null;
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    private static boolean hasSharedGate(DecoderShape shape) {
        DecoderShape.Experts experts = shape.experts();
        return experts != null && experts.hasSharedGate();
    }

    /** Of a token, before anything is made. */
    static long bytesPerToken(DecoderShape shape, DType dtype) {
        long width = shape.hiddenSize();
        long elements =
                2 * width
                        + shape.qkvSize()
                        + shape.attendedSize()
                        + 2L * Math.max(1, shape.widestMlp());
        return width * Float.BYTES
                + elements * dtype.bytes()
                + (hasSharedGate(shape) ? Float.BYTES : 0);
    }

    private Buffer create(long rows, long cols, DType dtype) {
        long size = Math.multiplyExact(Math.multiplyExact(rows, cols), (long) dtype.bytes());
        Buffer made = device.createBuffer(size);
        owned.push(made::close);
        bytes += made.bytes();
        return made;
    }

    private @Nullable Buffer keys(Buffer of, DecoderShape shape, DType dtype) {
        if (shape.norms().qk() != DecoderShape.QkNorm.ALL_HEADS) {
            return null;
        }
        long offset = (long) shape.qSize() * dtype.bytes();
        if (offset % Buffer.ALIGNMENT != 0) {
            throw ModelException.unsupported(
                    "with norms over all heads, the q of a token must fill a multiple of %d bytes: %d"
                            .formatted(Buffer.ALIGNMENT, offset));
        }
        Buffer view = of.view(offset, of.bytes() - offset);
        owned.push(view::close);
        return view;
    }

    /** What was made. */
    long bytes() {
        return bytes;
    }

    @Override
    public void close() {
        owned.close();
    }
}
