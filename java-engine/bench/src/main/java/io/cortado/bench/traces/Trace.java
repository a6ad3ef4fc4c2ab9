package io.cortado.bench.traces;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * When requests came and how long they were. Rows are in the order of arrival.
 *
 * @param arrivalNanos from the first arrival on, never falling
 * @param inputs tokens of each prompt, at least 1
 * @param outputs tokens of each answer; 0 where the request failed
 * @param tenants whose each request is, an index into {@code tenantNames}
 * @param blocks what the blocks of each prompt hold, by numbers that are equal exactly where the
 *     prompts are equal up to the block's end; null where the trace does not tell
 * @param blockTokens tokens of such a block; the last one of a prompt may have fewer
 */
public record Trace(
        String name,
        long[] arrivalNanos,
        int[] inputs,
        int[] outputs,
        int[] tenants,
        List<String> tenantNames,
        int @Nullable [][] blocks,
        int blockTokens) {

    public int size() {
        return inputs.length;
    }

    public long durationNanos() {
        return arrivalNanos[arrivalNanos.length - 1];
    }

    /** The same requests arriving so many times as fast. */
    public Trace scaled(double rate) {
        long[] arrivals = Arrays.stream(arrivalNanos).map(t -> (long) (t / rate)).toArray();
        return new Trace(
                name, arrivals, inputs, outputs, tenants, tenantNames, blocks, blockTokens);
    }

    /**
     * The first so many of the same requests over and over, no prompt of one round sharing anything
     * with those of another.
     */
    public Trace repeated(int rows) {
        int round = size();
        long period = durationNanos() + durationNanos() / Math.max(1, round - 1);
        long[] arrivals = new long[rows];
        for (int i = 0; i < rows; i++) {
            arrivals[i] = arrivalNanos[i % round] + i / round * period;
        }
        return new Trace(
                name,
                arrivals,
                cycled(inputs, rows),
                cycled(outputs, rows),
                cycled(tenants, rows),
                tenantNames,
                blocks == null ? null : renumbered(blocks, rows),
                blockTokens);
    }

    private static int[] cycled(int[] values, int rows) {
        int[] all = new int[rows];
        Arrays.setAll(all, i -> values[i % values.length]);
        return all;
    }

    private static int[][] renumbered(int[][] blocks, int rows) {
        int most = Arrays.stream(blocks).flatMapToInt(Arrays::stream).max().orElse(0);
        int[][] all = new int[rows][];
        for (int i = 0; i < rows; i++) {
            int first = Math.multiplyExact(i / blocks.length, most + 1);
            all[i] =
                    Arrays.stream(blocks[i % blocks.length])
                            .map(id -> Math.addExact(first, id))
                            .toArray();
        }
        return all;
    }

    /** The tokens of a prompt: equal where the trace says so, else of this row alone. */
    public int[] prompt(int row) {
        int[] tokens = new int[inputs[row]];
        int[] ids = blocks == null ? null : blocks[row];
        for (int i = 0; i < tokens.length; i++) {
            tokens[i] =
                    ids == null
                            ? token(-1L - row, i)
                            : token(ids[i / blockTokens], i % blockTokens);
        }
        return tokens;
    }

    /** A token that says which block it is of: 31 bits of a mix (Steele et al. 2014). */
    private static int token(long block, int place) {
        long z = block * 0x9E3779B97F4A7C15L + place * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return (int) (z >>> 33);
    }
}
