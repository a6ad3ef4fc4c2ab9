package io.cortado.bench.kernels;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One kernel at one size.
 *
 * @param name {@code <kernel>_<case>}, as in the metric
 * @param prepare makes inputs and outputs on the bed
 * @param peer a case that does the same otherwise, to be measured in turn with it: {@code
 *     <name>_of_<what the peer has instead>} is reported too
 */
public record KernelCase(
        String name, Function<KernelBed, KernelWork> prepare, @Nullable KernelCase peer) {
    KernelCase(String name, Function<KernelBed, KernelWork> prepare) {
        this(name, prepare, null);
    }

    KernelCase against(KernelCase other) {
        return new KernelCase(name, prepare, other);
    }

    /** The peer's second word: {@code bf16} of {@code linear_bf16_m512}. */
    public static String word(KernelCase peer) {
        return peer.name.split("_")[1];
    }

    /** The sampler's. */
    public static List<KernelCase> sampling() {
        return SamplingCases.all();
    }

    /** A mixture of experts'. */
    public static List<KernelCase> moe() {
        return MoeCases.all();
    }

    /** All cases, in the order of a decoder's step. */
    public static List<KernelCase> all() {
        List<KernelCase> all = new ArrayList<>();
        all.addAll(LinearCases.all());
        all.addAll(AttentionCases.all());
        all.addAll(RowCases.all());
        all.addAll(sampling());
        return all;
    }
}
