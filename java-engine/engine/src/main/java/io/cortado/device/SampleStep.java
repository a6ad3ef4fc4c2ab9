package io.cortado.device;

import io.cortado.bindings.CortadoNative;

/**
 * A step between the edited logits and the draw: {@code ct_sample_step}, which tells what each
 * does.
 */
public enum SampleStep {
    PENALTIES(CortadoNative.CT_STEP_PENALTIES()),
    DRY(CortadoNative.CT_STEP_DRY()),
    TEMPERATURE(CortadoNative.CT_STEP_TEMPERATURE()),
    MIN_P(CortadoNative.CT_STEP_MIN_P()),
    TOP_K(CortadoNative.CT_STEP_TOP_K()),
    TOP_P(CortadoNative.CT_STEP_TOP_P()),
    TYPICAL_P(CortadoNative.CT_STEP_TYPICAL_P()),
    TOP_N_SIGMA(CortadoNative.CT_STEP_TOP_N_SIGMA()),
    EPSILON(CortadoNative.CT_STEP_EPSILON()),
    ETA(CortadoNative.CT_STEP_ETA()),
    TOP_H(CortadoNative.CT_STEP_TOP_H()),
    XTC(CortadoNative.CT_STEP_XTC()),
    MIROSTAT(CortadoNative.CT_STEP_MIROSTAT());

    private final int code;

    SampleStep(int code) {
        this.code = code;
    }

    int code() {
        return code;
    }
}
