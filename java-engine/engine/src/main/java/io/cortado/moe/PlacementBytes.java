package io.cortado.moe;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** Placements as int32: by layer and rank, how many experts it has and which. */
final class PlacementBytes {
    private PlacementBytes() {}

    /** No placement of so many layers has more: each rank holds each expert. */
    static long most(int numLayers, int numExperts, ExpertRanks ranks) {
        return (long) Integer.BYTES * numLayers * ranks.experts() * (1 + numExperts) + Long.BYTES;
    }

    /**
     * @return how many bytes, a multiple of 8
     */
    static long write(List<ExpertPlacement> placements, MemorySegment to, long offset) {
        long at = offset;
        for (ExpertPlacement placement : placements) {
            for (int rank = 0; rank < placement.numRanks(); rank++) {
                int[] experts = placement.expertsOf(rank);
                to.set(ValueLayout.JAVA_INT, at, experts.length);
                at += Integer.BYTES;
                MemorySegment.copy(experts, 0, to, ValueLayout.JAVA_INT, at, experts.length);
                at += (long) Integer.BYTES * experts.length;
            }
        }
        return Math.ceilDiv(at - offset, (long) Long.BYTES) * Long.BYTES;
    }

    static List<ExpertPlacement> read(
            MemorySegment from, long offset, int numLayers, int numExperts, ExpertRanks ranks) {
        List<ExpertPlacement> placements = new ArrayList<>();
        long at = offset;
        for (int layer = 0; layer < numLayers; layer++) {
            int[][] experts = new int[ranks.experts()][];
            for (int rank = 0; rank < experts.length; rank++) {
                experts[rank] = new int[from.get(ValueLayout.JAVA_INT, at)];
                at += Integer.BYTES;
                MemorySegment.copy(
                        from, ValueLayout.JAVA_INT, at, experts[rank], 0, experts[rank].length);
                at += (long) Integer.BYTES * experts[rank].length;
            }
            placements.add(new ExpertPlacement(numExperts, experts));
        }
        return placements;
    }
}
