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

    private SchemaJudge(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
        vocabulary = TokenTable.of(tokenizer, tokenizer.vocabSize(), end(tokenizer));
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
        Path root = Path.of(System.getProperty("cortado.root", "."));
        Path shared = root.resolve("../shared/suites/vocab");
        Path folder = path.toAbsolutePath();
        for (Path above = folder; above != null; above = above.getParent()) {
            SchemaJudge judge = in(above.resolve("vocab"));
            if (judge != null) {
                return judge;
            }
        }
        SchemaJudge judge = in(shared);
        if (judge == null) {
            throw new IOException("no vocabulary to judge masks with: folder=" + shared);
        }
        return judge;
    }

    private static @Nullable SchemaJudge in(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return null;
        }
        for (String name : NAMES) {
            VocabFiles.Vocabulary vocabulary = VocabFiles.named(name, folder);
            if (vocabulary != null) {
                return new SchemaJudge(vocabulary.open());
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
