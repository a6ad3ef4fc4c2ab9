package io.cortado.device;

import io.cortado.bindings.CortadoNative;

/** How drafts that were drawn by chance are verified: {@code ct_verify_method}. */
public enum VerifyMethod {
    /** Token by token; chains and trees. */
    TOKENS(CortadoNative.CT_VERIFY_TOKENS()),
    /** Chains as one block: never fewer tokens in expectation. */
    BLOCK(CortadoNative.CT_VERIFY_BLOCK());

    private final int code;

    VerifyMethod(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }
}
