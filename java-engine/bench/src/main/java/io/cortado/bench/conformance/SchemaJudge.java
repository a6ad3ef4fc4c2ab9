package io.cortado.bench.conformance;

import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarLimits;
import io.cortado.constrain.TokenTable;
import io.cortado.constrain.schema.JsonSchema;
import io.cortado.constrain.schema.SchemaOptions;
import io.cortado.text.AddedTokenMatch;
import io.cortado.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Feeds the texts of a case to its schema's masks, token by token with a real vocabulary: the
 * largest of {@code vocab/} beside the suite, or in the shared suites.
 */
public final class SchemaJudge {
    private static final List<String> NAMES = List.of("o200k_base", "cl100k_base");

    /** What came of a text. */
    public enum Verdict {
        ACCEPTED,
        REJECTED,
        /** A mask and the automaton do not agree. */
        DISAGREED,
        /** Over a limit on the way, which ends a request with an error. */
        ENDED
    }

    private final Tokenizer tokenizer;
    private final TokenTable vocabulary;
    private @Nullable CompiledGrammar grammar;
    private boolean isEmpty;
    private String reason = "";

    private SchemaJudge(Tokenizer tokenizer, TokenTable vocabulary) {
        this.tokenizer = tokenizer;
        this.vocabulary = vocabulary;
    }

    private static SchemaJudge of(Tokenizer tokenizer) {
        int width = tokenizer.vocabSize();
        return new SchemaJudge(tokenizer, TokenTable.of(tokenizer, width, end(tokenizer)));
    }

    /** With that many ids, the last of which ends outputs. */
    private static SchemaJudge ofFirst(VocabFiles.Vocabulary vocabulary, int vocabSize)
            throws IOException {
        Tokenizer tokenizer = vocabulary.openFirst(vocabSize - 1);
        if (tokenizer.vocabSize() != vocabSize - 1) {
            throw new IOException(
                    "the suite's vocabulary is smaller: vocabSize="
                            + vocabSize
                            + " ranks="
                            + tokenizer.vocabSize());
        }
        var bytes = new byte[vocabSize][];
        for (int id = 0; id < vocabSize; id++) {
            bytes[id] = id < vocabSize - 1 ? tokenizer.tokenBytes(id) : new byte[0];
        }
        return new SchemaJudge(
                tokenizer, new TokenTable(bytes, Map.of(), vocabSize, vocabSize - 1));
    }

    /** Some control token, to end outputs. */
    private static int end(Tokenizer tokenizer) {
        for (int id = tokenizer.vocabSize() - 1; id >= 0; id--) {
            if (tokenizer.isSpecial(id)) {
                return id;
            }
        }
        throw new IllegalArgumentException("a vocabulary without a control token");
    }

    /**
     * With the first vocabulary found.
     *
     * @throws IOException if there is none
     */
    public static SchemaJudge near(Path path) throws IOException {
        return near(path, 0);
    }

    /**
     * The same of the vocabulary's first ids.
     *
     * @param vocabSize how many; 0: all
     */
    public static SchemaJudge near(Path path, int vocabSize) throws IOException {
        Path root = Path.of(System.getProperty("cortado.root", "."));
        Path shared = root.resolve("../shared/suites/vocab");
        Path folder = path.toAbsolutePath();
        for (Path above = folder; above != null; above = above.getParent()) {
            SchemaJudge judge = in(above.resolve("vocab"), vocabSize);
            if (judge != null) {
                return judge;
            }
        }
        SchemaJudge judge = in(shared, vocabSize);
        if (judge == null) {
            throw new IOException("no vocabulary to judge masks with: folder=" + shared);
        }
        return judge;
    }

    private static @Nullable SchemaJudge in(Path folder, int vocabSize) throws IOException {
        if (!Files.isDirectory(folder)) {
            return null;
        }
        for (String name : NAMES) {
            VocabFiles.Vocabulary vocabulary = VocabFiles.named(name, folder);
            if (vocabulary != null) {
                return vocabSize == 0 ? of(vocabulary.open()) : ofFirst(vocabulary, vocabSize);
            }
        }
        return null;
    }

    /**
     * The schema that the next texts are judged by. Where no value satisfies it, none is accepted.
     *
     * @throws GrammarException if it is refused
     */
    public void use(String schema, SchemaOptions options) {
        isEmpty = false;
        grammar = null;
        try {
            grammar = JsonSchema.compile(schema, options, vocabulary, GrammarLimits.DEFAULT);
        } catch (GrammarException e) {
            if (e.reason() != GrammarException.Reason.UNSATISFIABLE) {
                throw e;
            }
            isEmpty = true;
        }
    }

    /** The grammar in use, or null where no value satisfies the schema. */
    public @Nullable CompiledGrammar grammar() {
        return grammar;
    }

    public int[] tokens(String text) {
        return tokenizer.encode(text, false, AddedTokenMatch.NONE);
    }

    /** Why the last text was not judged; empty where it was. */
    public String reason() {
        return reason;
    }

    public Verdict verdict(String text) {
        reason = "";
        if (isEmpty || grammar == null) {
            return Verdict.REJECTED;
        }
        try {
            return new MaskRun(grammar).accepts(tokens(text)) ? Verdict.ACCEPTED : Verdict.REJECTED;
        } catch (GrammarException e) {
            reason = String.valueOf(e.getMessage());
            return Verdict.ENDED;
        } catch (IllegalStateException e) {
            reason = String.valueOf(e.getMessage());
            return Verdict.DISAGREED;
        }
    }
}
