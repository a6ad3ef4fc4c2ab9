package io.cortado.bench;

import io.cortado.bench.kernels.KernelCase;
import java.util.List;
import picocli.CommandLine.Command;

/**
 * A layer of experts against its floor: the chosen experts' bytes or the products' operations; and
 * how many times longer the whole layer takes than what is around the products ({@code
 * moe_around_<case>_of_layer}: routing, plan and combination).
 */
@Command(
        name = "moe",
        description = "A mixture of experts against the floor of this machine, in the same run.",
        mixinStandardHelpOptions = true)
final class MoeBench extends KernelsBench {
    @Override
    List<KernelCase> cases() {
        return KernelCase.moe();
    }
}
