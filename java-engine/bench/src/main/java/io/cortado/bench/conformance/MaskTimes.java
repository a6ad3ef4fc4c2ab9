package io.cortado.bench.conformance;

import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.Matcher;
import io.cortado.constrain.schema.SchemaOptions;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.DoubleStream;
import tools.jackson.databind.JsonNode;

/**
 * The CPU time of the calling thread for masks of real schemas.
 *
 * @param masksUs mask and accept of each token after the first
 * @param firstMasksMs compiling and the first mask, of each schema
 * @param grammarsKb the estimate of what a grammar holds after its texts
 * @param refused schemas that were not compiled
 * @param forced masks that allow exactly one token
 */
public record MaskTimes(
        double[] masksUs, double[] firstMasksMs, double[] grammarsKb, int refused, long forced) {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    /** Of so many schemas one warms the compiler up, whatever part of the suite it is of. */
    private static final int WARM_UP_OF = 8;

    /** Feeds the valid texts of the schemas under {@code path}. */
    public static MaskTimes measure(Path path, int limit, int vocabSize) throws IOException {
        SchemaJudge judge = SchemaJudge.near(path, vocabSize);
        List<JsonNode> rows = MaskBenchSuite.schemas(path, limit);
        var warm = new Collected();
        for (int i = 0; i < rows.size(); i += WARM_UP_OF) {
            warm.add(rows.get(i), judge);
        }
        var collected = new Collected();
        for (JsonNode row : rows) {
            collected.add(row, judge);
        }
        return collected.times();
    }

    private static final class Collected {
        private final DoubleStream.Builder masks = DoubleStream.builder();
        private final DoubleStream.Builder firsts = DoubleStream.builder();
        private final DoubleStream.Builder sizes = DoubleStream.builder();
        private int refused;
        private long forced;

        private MaskTimes times() {
            return new MaskTimes(
                    masks.build().toArray(),
                    firsts.build().toArray(),
                    sizes.build().toArray(),
                    refused,
                    forced);
        }

        private void add(JsonNode row, SchemaJudge judge) {
            String schema = row.path("schema").toString();
            long begin = THREADS.getCurrentThreadCpuTime();
            try {
                judge.use(schema, SchemaOptions.DEFAULT);
                CompiledGrammar grammar = judge.grammar();
                if (grammar == null) {
                    return;
                }
                var mask = new int[grammar.vocabulary().words()];
                grammar.matcher().allowed(mask);
                firsts.add((THREADS.getCurrentThreadCpuTime() - begin) / 1e6);
                for (JsonNode test : row.path("tests")) {
                    if (test.path("valid").asBoolean(false)) {
                        feed(judge.tokens(test.path("text").asString("")), grammar, mask);
                    }
                }
                sizes.add(grammar.sizeBytes() / 1e3);
            } catch (GrammarException e) {
                refused++;
            }
        }

        private static boolean allowsOne(int[] mask) {
            int allowed = 0;
            for (int i = 0; i < mask.length && allowed < 2; i++) {
                allowed += Integer.bitCount(mask[i]);
            }
            return allowed == 1;
        }

        private void feed(int[] tokens, CompiledGrammar grammar, int[] mask) {
            Matcher matcher = grammar.matcher();
            long before = THREADS.getCurrentThreadCpuTime();
            for (int token : tokens) {
                matcher.allowed(mask);
                if (!matcher.accept(token)) {
                    return;
                }
                masks.add((THREADS.getCurrentThreadCpuTime() - before) / 1e3);
                forced += allowsOne(mask) ? 1 : 0;
                before = THREADS.getCurrentThreadCpuTime();
            }
        }
    }
}
