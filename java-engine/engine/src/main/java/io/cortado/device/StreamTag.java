package io.cortado.device;

import io.cortado.bindings.CortadoNative;

/**
 * Streams of random numbers that one seed and position have ({@code ct_stream_tag}), for {@link
 * SampleRow#random}. {@link Kernels#verify} uses two more itself.
 */
public final class StreamTag {
    /** The target's draws. */
    public static final int SAMPLE = CortadoNative.CT_TAG_SAMPLE();

    /** A draft model's. */
    public static final int DRAFT = CortadoNative.CT_TAG_DRAFT();

    private StreamTag() {}
}
