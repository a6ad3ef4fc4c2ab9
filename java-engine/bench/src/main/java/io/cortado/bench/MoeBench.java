package io.cortado.bench;

import io.cortado.bench.kernels.KernelCase;
import io.cortado.bench.llamacpp.BlockWeights;
import io.cortado.bench.llamacpp.LlamaCppComparison;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * A layer of experts against its floor: the chosen experts' bytes or the products' operations; and
 * how many times longer the whole layer takes than what is around the products ({@code
 * moe_around_<case>_of_layer}: routing, plan and combination). Or a whole model of such layers
 * against llama.cpp.
 */
@Command(
        name = "moe",
        description = "A mixture of experts against the floor of this machine, in the same run.",
        mixinStandardHelpOptions = true)
final class MoeBench extends KernelsBench {
    private static final String LLAMA_CPP = "llamacpp";
    private static final int PROMPT_LEN = 512;
    private static final int OUTPUT_LEN = 64;
    private static final int QUICK_RUNS = 3;

    @Option(
            names = "--vs",
            paramLabel = "PEER",
            description =
                    "llamacpp: a Qwen3-MoE model of random weights in llama.cpp, in the same run;"
                            + " its shape may be named by --dummy-weights")
    @Nullable String vs;

    @Option(
            names = "--weights",
            paramLabel = "FORMAT",
            description = "beside --vs: bf16, q8_0, q4_0 or q4_k; default: ${DEFAULT-VALUE}")
    String weights = "q8_0";

    @Option(
            names = "--quick",
            description = "beside --vs: three layers and at most three runs, within minutes")
    boolean isQuick;

    @Override
    List<KernelCase> cases() {
        return KernelCase.moe();
    }

    @Override
    void run(Results results) throws Exception {
        require(vs == null || vs.equals(LLAMA_CPP), "vs", LLAMA_CPP, String.valueOf(vs));
        if (vs == null) {
            require(!isQuick, "quick", "used with --vs", "true");
            super.run(results);
            return;
        }
        require(model == null, "vs", "used with --dummy-weights or alone", LLAMA_CPP);
        LlamaCppComparison.run(
                new LlamaCppComparison.Setup(
                        engine.dummyWeights,
                        isQuick
                                ? LlamaCppComparison.Bundled.FEW_EXPERTS
                                : LlamaCppComparison.Bundled.EXPERTS,
                        BlockWeights.of(weights),
                        engine.options().dummyWeights(false),
                        PROMPT_LEN,
                        OUTPUT_LEN,
                        isQuick ? Math.min(QUICK_RUNS, runs) : runs,
                        seed),
                results,
                out);
    }
}
