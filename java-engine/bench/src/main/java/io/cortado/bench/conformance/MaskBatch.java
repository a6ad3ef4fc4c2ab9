package io.cortado.bench.conformance;

import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.Matcher;
import io.cortado.constrain.schema.SchemaOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The masks that a batch of structured answers needs in a step: as many answers as the batch has
 * rows go on side by side, each by its own schema, and an answer that ends makes room for the next
 * schema's. Masks are made in parallel, as the engine makes them; grammars are compiled outside of
 * what is measured, as the engine compiles them outside of its loop.
 */
public final class MaskBatch {
    private static final int WARM_UP_STEPS = 300;

    private record Text(CompiledGrammar grammar, int[] tokens) {}

    private static final class Row {
        private final int[] mask;
        private final int[] tokens;
        private final Matcher matcher;
        private int next;
        private boolean isOver;

        Row(Text text) {
            mask = new int[text.grammar.vocabulary().words()];
            tokens = text.tokens;
            matcher = text.grammar.matcher();
        }

        /** What is over a limit ends its answer. */
        void look() {
            try {
                matcher.allowed(mask);
            } catch (GrammarException e) {
                isOver = true;
            }
        }

        /** False at the end of the answer. */
        boolean accept() {
            return !isOver && matcher.accept(tokens[next]) && ++next < tokens.length;
        }
    }

    private final SchemaJudge judge;
    private final Iterator<JsonNode> schemas;
    private final ArrayDeque<Text> texts = new ArrayDeque<>();

    private MaskBatch(SchemaJudge judge, Iterator<JsonNode> schemas) {
        this.judge = judge;
        this.schemas = schemas;
    }

    /** Milliseconds that the masks of each step took, by the clock. */
    public static double[] measure(Path path, int limit, int vocabSize, int numRows)
            throws IOException {
        List<JsonNode> schemas = MaskBenchSuite.schemas(path, limit);
        return new MaskBatch(SchemaJudge.near(path, vocabSize), schemas.iterator()).steps(numRows);
    }

    /** Until there are no answers left for all rows. */
    private double[] steps(int numRows) {
        List<Row> rows = new ArrayList<>();
        for (Text text = nextText(); text != null; text = nextText()) {
            rows.add(new Row(text));
            if (rows.size() == numRows) {
                break;
            }
        }
        DoubleStream.Builder millis = DoubleStream.builder();
        for (int step = 0; rows.size() == numRows; step++) {
            long start = System.nanoTime();
            IntStream.range(0, numRows).parallel().forEach(i -> rows.get(i).look());
            if (step >= WARM_UP_STEPS) {
                millis.add((System.nanoTime() - start) / 1e6);
            }
            rows.removeIf(row -> !row.accept());
            for (Text text = null; rows.size() < numRows; rows.add(new Row(text))) {
                text = nextText();
                if (text == null) {
                    break;
                }
            }
        }
        return millis.build().toArray();
    }

    private @Nullable Text nextText() {
        while (texts.isEmpty() && schemas.hasNext()) {
            JsonNode schema = schemas.next();
            try {
                judge.use(schema.path("schema").toString(), SchemaOptions.DEFAULT);
            } catch (GrammarException e) {
                continue;
            }
            CompiledGrammar grammar = judge.grammar();
            for (JsonNode test : schema.path("tests")) {
                int[] tokens = judge.tokens(test.path("text").asString(""));
                if (grammar != null && tokens.length > 0 && test.path("valid").asBoolean(false)) {
                    texts.add(new Text(grammar, tokens));
                }
            }
        }
        return texts.poll();
    }
}
