package io.cortado.engine;

import io.cortado.api.Constraint;
import io.cortado.api.EngineException;
import io.cortado.api.JsonStyle;
import io.cortado.api.Reasoning;
import io.cortado.api.SamplingParams;
import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarCache;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarLimits;
import io.cortado.constrain.Grammars;
import io.cortado.constrain.TokenTable;
import io.cortado.constrain.schema.JsonSchema;
import io.cortado.constrain.schema.SchemaOptions;
import io.cortado.constrain.schema.TaggedText;
import io.cortado.text.Tokenizer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Compiles the constraints of requests, on the threads of their callers. Any thread. */
final class Constraints {
    private static final long CACHE_BYTES = 256L << 20;
    private static final int KEPT_REGIONS = 8;

    private static final String ANY_OBJECT = "{\"type\":\"object\"}";

    private final @Nullable Tokenizer tokenizer;
    private final int width;
    private final int[] endIds;
    private final MaskThreads threads;
    private final @Nullable JumpForward jumps;
    private final GrammarCache cache = new GrammarCache(CACHE_BYTES);

    /** Of the last requests: to find what goes beyond a marker takes a look at each token. */
    private final Map<Reasoning, ReasoningRegion> regions =
            new LinkedHashMap<>(KEPT_REGIONS, 0.75f, true) {
                private static final long serialVersionUID = 1L;

                @Override
                protected boolean removeEldestEntry(Map.Entry<Reasoning, ReasoningRegion> eldest) {
                    return size() > KEPT_REGIONS;
                }
            };

    /** Made where the first request has a constraint: it takes a look at each token. */
    private @Nullable TokenTable table;

    /**
     * @param width logits of a row
     * @param endIds the model's
     * @param threads where masks are made
     * @param jumpsForward whether forced bytes are appended as the tokenizer cuts them
     */
    Constraints(
            @Nullable Tokenizer tokenizer,
            int width,
            List<Integer> endIds,
            MaskThreads threads,
            boolean jumpsForward) {
        this.threads = threads;
        jumps = jumpsForward && tokenizer != null ? new JumpForward(tokenizer) : null;
        this.tokenizer = tokenizer;
        this.width = width;
        int known = tokenizer == null ? 0 : Math.min(width, tokenizer.vocabSize());
        this.endIds =
                endIds.stream().mapToInt(Integer::intValue).filter(id -> id < known).toArray();
    }

    /** What leads the answers of a request; null where nothing does. */
    @Nullable GuideRules of(SamplingParams params, int[] prompt) {
        Constraint constraint = params.constraint();
        if (constraint == null) {
            return null;
        }
        TokenTable vocabulary = vocabulary();
        requireEndsAreFree(params);
        if (constraint instanceof Constraint.AfterReasoning(var answer, var reasoning)) {
            CompiledGrammar grammar = grammar(answer, vocabulary);
            ReasoningRegion region = region(reasoning, vocabulary);
            return new GuideRules(grammar, threads, jumps, region, region.start(prompt));
        }
        CompiledGrammar grammar = grammar(constraint, vocabulary);
        return new GuideRules(grammar, threads, jumps, null, ReasoningRegion.Start.ANSWER);
    }

    private CompiledGrammar grammar(Constraint constraint, TokenTable vocabulary) {
        try {
            return cache.get(constraint, () -> tryCompile(constraint, vocabulary));
        } catch (GrammarException e) {
            throw refused(e);
        }
    }

    private ReasoningRegion region(Reasoning reasoning, TokenTable vocabulary) {
        synchronized (regions) {
            return regions.computeIfAbsent(
                    reasoning,
                    key ->
                            new ReasoningRegion(
                                    key, Objects.requireNonNull(tokenizer), vocabulary, endIds));
        }
    }

    /** The failure of a request in the words of the grammar's. */
    static EngineException refused(GrammarException e) {
        return new EngineException(
                EngineException.Code.INVALID_REQUEST,
                String.valueOf(e.getMessage()),
                Constraint.PARAM,
                e);
    }

    private static void requireEndsAreFree(SamplingParams params) {
        if (params.ignoreEos()) {
            throw EngineException.invalid(
                    "ignore_eos",
                    "ignore_eos excludes a constraint, which decides where the output ends");
        }
        if (params.minTokens() > 0) {
            throw EngineException.invalid(
                    "min_tokens",
                    "min_tokens excludes a constraint, which decides where the output ends:"
                            + " min_tokens="
                            + params.minTokens());
        }
    }

    private synchronized TokenTable vocabulary() {
        if (tokenizer == null) {
            throw EngineException.invalid(
                    Constraint.PARAM, "a constraint needs a tokenizer and the model has none");
        }
        if (endIds.length == 0) {
            throw EngineException.invalid(
                    Constraint.PARAM, "a constraint needs an end token and the model has none");
        }
        TokenTable made = table;
        if (made == null) {
            made = TokenTable.of(tokenizer, width, endIds);
            table = made;
        }
        return made;
    }

    private static CompiledGrammar tryCompile(Constraint constraint, TokenTable vocabulary) {
        try {
            return compile(constraint, vocabulary);
        } catch (StackOverflowError e) {
            throw new GrammarException(
                    GrammarException.Reason.LIMIT, "", "the constraint is nested too deeply");
        }
    }

    private static CompiledGrammar compile(Constraint constraint, TokenTable vocabulary) {
        GrammarLimits limits = GrammarLimits.DEFAULT;
        return switch (constraint) {
            case Constraint.JsonSchema(String schema, JsonStyle style) ->
                    JsonSchema.compile(schema, options(style), vocabulary, limits);
            case Constraint.JsonObject(JsonStyle style) ->
                    JsonSchema.compile(ANY_OBJECT, options(style), vocabulary, limits);
            case Constraint.Regex(String pattern) -> Grammars.regex(pattern, vocabulary, limits);
            case Constraint.Choice(List<String> texts) ->
                    Grammars.choice(texts, vocabulary, limits);
            case Constraint.Grammar(String text) -> Grammars.grammar(text, vocabulary, limits);
            case Constraint.StructuralTags tags ->
                    TaggedText.compile(
                            tags.structures().stream()
                                    .map(s -> new TaggedText.Tag(s.begin(), s.schema(), s.end()))
                                    .toList(),
                            tags.triggers(),
                            new TaggedText.Bounds(tags.atLeastOne(), tags.stopAfterFirst()),
                            options(tags.style()),
                            vocabulary,
                            limits);
            case Constraint.AfterReasoning _ ->
                    throw new IllegalArgumentException("an answer's constraint is compiled alone");
        };
    }

    private static SchemaOptions options(JsonStyle style) {
        return SchemaOptions.DEFAULT
                .withWhitespace(
                        switch (style.whitespace()) {
                            case NONE -> SchemaOptions.Whitespace.NONE;
                            case BOUNDED -> SchemaOptions.Whitespace.BOUNDED;
                        })
                .withOrder(
                        switch (style.order()) {
                            case DECLARED -> SchemaOptions.PropertyOrder.DECLARED;
                            case ANY -> SchemaOptions.PropertyOrder.ANY;
                        })
                .withClosedObjects(style.closedObjects());
    }
}
