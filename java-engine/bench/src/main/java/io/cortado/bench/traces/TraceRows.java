package io.cortado.bench.traces;

import io.cortado.bench.BenchException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Collects rows, in any order of arrival. */
final class TraceRows {
    /** A prompt or an answer longer than that is an error of the file. */
    static final int MAX_TOKENS = 16 << 20;

    private static final int MAX_ROWS = 20_000_000;
    private static final int MAX_TENANTS = 1_000_000;

    private final int blockTokens;
    private final Map<String, Integer> tenantIds = new HashMap<>();
    private final List<String> tenantNames = new ArrayList<>();
    private final Map<Long, Integer> blockIds = new HashMap<>();
    private long[] arrivals = new long[1024];
    private int[] inputs = new int[1024];
    private int[] outputs = new int[1024];
    private int[] tenants = new int[1024];
    private int @Nullable [][] blocks;
    private int size;

    /**
     * @param blockTokens 0: the rows have no blocks
     */
    TraceRows(int blockTokens) {
        this.blockTokens = blockTokens;
        blocks = blockTokens == 0 ? null : new int[1024][];
    }

    int size() {
        return size;
    }

    void add(long arrivalNanos, long input, long output, String tenant, long[] rowBlocks) {
        if (input < 1 || input > MAX_TOKENS || output < 0 || output > MAX_TOKENS) {
            throw new BenchException(
                    "a row needs 1 to %d prompt tokens and 0 to %d output tokens: prompt=%d output=%d"
                            .formatted(MAX_TOKENS, MAX_TOKENS, input, output));
        }
        if (size == MAX_ROWS) {
            throw new BenchException("a trace has at most " + MAX_ROWS + " rows");
        }
        grow();
        arrivals[size] = arrivalNanos;
        inputs[size] = (int) input;
        outputs[size] = (int) output;
        tenants[size] = tenant(tenant);
        if (blocks != null) {
            blocks[size] = dense(rowBlocks);
        }
        size++;
    }

    /** Numbers of blocks in the order of their first appearance. */
    private int[] dense(long[] ids) {
        int[] result = new int[ids.length];
        for (int i = 0; i < ids.length; i++) {
            result[i] = blockIds.computeIfAbsent(ids[i], _ -> blockIds.size());
        }
        return result;
    }

    private int tenant(String name) {
        Integer known = tenantIds.get(name);
        if (known != null) {
            return known;
        }
        if (tenantNames.size() == MAX_TENANTS) {
            throw new BenchException("a trace has at most " + MAX_TENANTS + " clients");
        }
        tenantIds.put(name, tenantNames.size());
        tenantNames.add(name);
        return tenantNames.size() - 1;
    }

    private void grow() {
        if (size == inputs.length) {
            arrivals = Arrays.copyOf(arrivals, 2 * size);
            inputs = Arrays.copyOf(inputs, 2 * size);
            outputs = Arrays.copyOf(outputs, 2 * size);
            tenants = Arrays.copyOf(tenants, 2 * size);
            blocks = blocks == null ? null : Arrays.copyOf(blocks, 2 * size);
        }
    }

    Trace finish(String name) {
        if (size == 0) {
            throw new BenchException("a trace needs at least one row: trace=" + name);
        }
        int[] order =
                IntStream.range(0, size)
                        .boxed()
                        .sorted(Comparator.comparingLong(i -> arrivals[i]))
                        .mapToInt(Integer::intValue)
                        .toArray();
        long first = arrivals[order[0]];
        int[][] from = blocks;
        return new Trace(
                name,
                Arrays.stream(order).mapToLong(i -> arrivals[i] - first).toArray(),
                Arrays.stream(order).map(i -> inputs[i]).toArray(),
                Arrays.stream(order).map(i -> outputs[i]).toArray(),
                Arrays.stream(order).map(i -> tenants[i]).toArray(),
                List.copyOf(tenantNames),
                from == null
                        ? null
                        : Arrays.stream(order).mapToObj(i -> from[i]).toArray(int[][]::new),
                blockTokens);
    }
}
