package io.cortado.model;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.cortado.device.Buffer;
import io.cortado.device.Device;
import io.cortado.device.Mirror;
import io.cortado.device.ResourceStack;
import io.cortado.device.Stream;

/**
 * Drafted tokens of several passes, on the device and for the host: int32[passes][stride], ids of
 * the target's vocabulary, -1 where the logits were not finite.
 */
public final class DraftTokens implements AutoCloseable {
    private static final int TOKENS = 0;

    private final ResourceStack owned = new ResourceStack();
    private final Mirror tokens;
    private final Buffer[] passes;
    private final int stride;

    DraftTokens(Device device, int maxPasses, int maxRows) {
        long passBytes = Math.ceilDiv(maxRows * 4L, (long) Buffer.ALIGNMENT) * Buffer.ALIGNMENT;
        stride = (int) (passBytes / 4);
        passes = new Buffer[maxPasses];
        boolean built = false;
        try {
            tokens = new Mirror(device, maxPasses * passBytes);
            owned.push(tokens::close);
            for (int pass = 0; pass < maxPasses; pass++) {
                passes[pass] = tokens.device(TOKENS).view(pass * passBytes, passBytes);
                owned.push(passes[pass]::close);
            }
            built = true;
        } finally {
            if (!built) {
                owned.close();
            }
        }
    }

    /** The tokens of one pass: what {@link BatchInputs#feed} of the next one takes. */
    public Buffer pass(int pass) {
        return passes[pass];
    }

    /** All of them: row i of a pass is number {@code pass * stride() + i}. */
    public Buffer all() {
        return tokens.device(TOKENS);
    }

    public int stride() {
        return stride;
    }

    /** Enqueues the copy of the first passes to the host. */
    public void download(int numPasses, Stream stream) {
        tokens.download(TOKENS, (long) numPasses * stride * 4, stream);
    }

    /** A token, once the stream has passed {@link #download}. */
    public int token(int pass, int row) {
        return tokens.host(TOKENS).getAtIndex(JAVA_INT, (long) pass * stride + row);
    }

    @Override
    public void close() {
        owned.close();
    }
}
