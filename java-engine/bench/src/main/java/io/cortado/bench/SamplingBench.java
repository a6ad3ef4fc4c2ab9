package io.cortado.bench;

import io.cortado.bench.kernels.KernelCase;
import java.util.List;
import picocli.CommandLine.Command;

/**
 * The sampler's cases against one read of the logits, a full sort of the same rows ({@code
 * _of_sort}) and the same row without what a case adds ({@code _of_plain}).
 */
@Command(
        name = "sampling",
        description =
                "The sampler against one read of the logits and a full sort, in the same run.",
        mixinStandardHelpOptions = true)
final class SamplingBench extends KernelsBench {
    @Override
    List<KernelCase> cases() {
        return KernelCase.sampling();
    }
}
