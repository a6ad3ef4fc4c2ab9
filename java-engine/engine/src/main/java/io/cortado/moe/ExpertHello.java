package io.cortado.moe;

import io.cortado.device.DType;
import io.cortado.gang.GangException;
import io.cortado.gang.Parts;
import io.cortado.gang.Transport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** What ranks tell each other before their first step: they must be of one mind. */
final class ExpertHello {
    /** Changed with the meaning of any message between the ranks. */
    private static final int PROTOCOL_VERSION = 2;

    private static final List<String> NAMES =
            List.of(
                    "protocol version",
                    "attention-ranks",
                    "expert-ranks",
                    "layers with experts",
                    "experts",
                    "experts of a token",
                    "hidden size",
                    "inner size",
                    "bytes of an activation",
                    "placement",
                    "micro-batches");

    private final long[] values;
    private final long maxTokens;

    /**
     * @param maxTokens of a step of this rank; 0 on ranks with experts
     */
    ExpertHello(ExpertLink link, ExpertShape shape, DType dtype, int maxTokens) {
        List<ExpertPlacement> placements = link.placements();
        values =
                new long[] {
                    PROTOCOL_VERSION,
                    link.ranks().attention(),
                    link.ranks().experts(),
                    placements.size(),
                    shape.numExperts(),
                    shape.topK(),
                    shape.hiddenSize(),
                    shape.innerSize(),
                    dtype.bytes(),
                    placements.hashCode(),
                    link.microBatches()
                };
        this.maxTokens = maxTokens;
    }

    /**
     * @return the most tokens that a step of any rank has
     * @throws GangException MISMATCH, on all ranks that differ from another
     */
    int exchange(Transport transport, long deadlineNanos) {
        int count = values.length + 1;
        long bytes = (long) count * Long.BYTES;
        int size = transport.size();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mine = arena.allocate(bytes, Long.BYTES);
            MemorySegment.copy(values, 0, mine, ValueLayout.JAVA_LONG, 0, values.length);
            mine.setAtIndex(ValueLayout.JAVA_LONG, values.length, maxTokens);
            Parts send = new Parts(mine, size);
            for (int rank = 0; rank < size; rank++) {
                send.set(rank, 0, bytes);
                send.fill(rank, bytes);
            }
            Parts receive = Parts.even(arena.allocate(bytes * size, Long.BYTES), size, bytes);
            transport.exchange(ExpertLink.HELLO, send, receive, deadlineNanos);
            long most = 0;
            for (int rank = 0; rank < size; rank++) {
                most = Math.max(most, agreed(transport, receive, rank, bytes));
            }
            return (int) most;
        }
    }

    private long agreed(Transport transport, Parts all, int rank, long bytes) {
        MemorySegment told = all.memory().asSlice(all.offset(rank), bytes);
        for (int i = 0; i < values.length; i++) {
            long theirs = told.getAtIndex(ValueLayout.JAVA_LONG, i);
            if (theirs != values[i]) {
                String why =
                        "ranks disagree about the %s: rank %d has %d, rank %d has %d"
                                .formatted(NAMES.get(i), rank, theirs, transport.rank(), values[i]);
                transport.abort(why);
                throw new GangException(GangException.Kind.MISMATCH, why);
            }
        }
        return told.getAtIndex(ValueLayout.JAVA_LONG, values.length);
    }
}
