package io.cortado.bench.kernels;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * One kernel at one size.
 *
 * @param name {@code <kernel>_<case>}, as in the metric
 * @param prepare makes inputs and outputs on the bed
 */
public record KernelCase(String name, Function<KernelBed, KernelWork> prepare) {

    /** All cases, in the order of a decoder's step. */
    public static List<KernelCase> all() {
        List<KernelCase> all = new ArrayList<>();
        all.addAll(LinearCases.all());
        all.addAll(AttentionCases.all());
        all.addAll(RowCases.all());
        return all;
    }
}
