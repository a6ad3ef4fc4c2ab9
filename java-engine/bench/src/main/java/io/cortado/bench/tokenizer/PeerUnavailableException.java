package io.cortado.bench.tokenizer;

/** A yardstick that cannot run on this machine; the message says why. */
public final class PeerUnavailableException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    PeerUnavailableException(String message, Throwable cause) {
        super(message, cause);
    }
}
