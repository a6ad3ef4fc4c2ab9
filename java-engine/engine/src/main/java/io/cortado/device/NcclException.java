package io.cortado.device;

/** NCCL is not there, or has refused a call; the message names the function and what NCCL says. */
public final class NcclException extends RuntimeException {
    private static final long serialVersionUID = 1;

    NcclException(String message) {
        super(message);
    }
}
