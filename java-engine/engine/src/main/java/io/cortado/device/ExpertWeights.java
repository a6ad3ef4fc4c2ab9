package io.cortado.device;

import static io.cortado.device.NativeException.check;

import io.cortado.bindings.CortadoNative;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The matrices of a layer's experts; owns them, so that closing this closes them, unless they were
 * lent to it.
 */
public final class ExpertWeights extends NativeHandle {
    /**
     * An expert's matrices.
     *
     * @param gate [intermediate][hidden]
     * @param up as large
     * @param down [hidden][intermediate]
     */
    public record Expert(Weights gate, Weights up, Weights down) implements AutoCloseable {
        @Override
        public void close() {
            gate.close();
            up.close();
            down.close();
        }
    }

    private final List<@Nullable Expert> experts;
    private final boolean ownsMatrices;

    private ExpertWeights(
            MemorySegment address, List<@Nullable Expert> experts, boolean ownsMatrices) {
        super(address);
        this.experts = experts;
        this.ownsMatrices = ownsMatrices;
    }

    static ExpertWeights create(
            Device device, List<@Nullable Expert> experts, boolean ownsMatrices) {
        try (Arena call = Arena.ofConfined()) {
            int count = experts.size();
            MemorySegment gate = call.allocate(CortadoNative.C_POINTER, Math.max(1, count));
            MemorySegment up = call.allocate(CortadoNative.C_POINTER, Math.max(1, count));
            MemorySegment down = call.allocate(CortadoNative.C_POINTER, Math.max(1, count));
            for (int i = 0; i < count; i++) {
                Expert expert = experts.get(i);
                if (expert != null) {
                    gate.setAtIndex(CortadoNative.C_POINTER, i, expert.gate.address());
                    up.setAtIndex(CortadoNative.C_POINTER, i, expert.up.address());
                    down.setAtIndex(CortadoNative.C_POINTER, i, expert.down.address());
                }
            }
            MemorySegment out = call.allocate(CortadoNative.C_POINTER);
            check(CortadoNative.ct_experts_create(out, device.address(), gate, up, down, count));
            return new ExpertWeights(
                    out.get(CortadoNative.C_POINTER, 0), experts.stream().toList(), ownsMatrices);
        }
    }

    public int numExperts() {
        return experts.size();
    }

    /** Whether the expert's matrices are on this device. */
    public boolean isPresent(int expert) {
        return experts.get(expert) != null;
    }

    /** Bytes that an expert's packed matrices occupy; 0 where they are not on this device. */
    public long bytes(int expert) {
        Expert present = experts.get(expert);
        return present == null
                ? 0
                : present.gate.bytes() + present.up.bytes() + present.down.bytes();
    }

    /** Bytes of the workspace of {@link MoeKernels#experts}. */
    public long workspaceBytes(MoeParams params) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment out = call.allocate(CortadoNative.C_LONG);
            check(CortadoNative.ct_moe_workspace_bytes(out, address(), params.struct()));
            return out.get(CortadoNative.C_LONG, 0);
        }
    }

    @Override
    void destroy(MemorySegment open) {
        check(CortadoNative.ct_experts_destroy(open));
        if (ownsMatrices) {
            experts.stream().filter(Objects::nonNull).forEach(Expert::close);
        }
    }
}
