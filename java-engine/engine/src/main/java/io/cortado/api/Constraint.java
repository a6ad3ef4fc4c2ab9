package io.cortado.api;

import java.util.List;

/**
 * What an output has to be: each token is one that some whole output goes on with, and the model's
 * end token is drawn exactly where the output is complete. An output that a limit or a stop string
 * ends before is a beginning of such an output. What cannot be enforced exactly is refused, with
 * the place in the text and the reason.
 *
 * <p>A constraint needs a tokenizer and an end token, and excludes {@code min_tokens} and {@code
 * ignore_eos}: it decides itself where the output ends.
 */
public sealed interface Constraint {
    /**
     * A JSON value that a schema accepts, with the formats that it names.
     *
     * @param schema as JSON; of draft 2020-12 unless its {@code $schema} names another
     */
    record JsonSchema(String schema, JsonStyle style) implements Constraint {
        public JsonSchema(String schema) {
            this(schema, JsonStyle.DEFAULT);
        }
    }

    /** Any JSON object. */
    record JsonObject(JsonStyle style) implements Constraint {
        public JsonObject() {
            this(JsonStyle.DEFAULT);
        }
    }

    /**
     * A text that matches as a whole.
     *
     * @param pattern without look-around and back references
     */
    record Regex(String pattern) implements Constraint {}

    /** One of some texts: at least one, none of them empty. */
    record Choice(List<String> texts) implements Constraint {
        public Choice {
            texts = List.copyOf(texts);
            if (texts.isEmpty() || texts.contains("")) {
                throw EngineException.invalid(
                        PARAM,
                        "a choice must be of at least 1 text, none of them empty: texts="
                                + texts.size());
            }
        }
    }

    /**
     * A text of a grammar: in llama.cpp's dialect of EBNF with a rule {@code root} where it has a
     * {@code ::=}, else in Lark's syntax with a rule {@code start}.
     */
    record Grammar(String text) implements Constraint {}

    /**
     * Free text in which tags hold JSON: where a trigger is met, the output goes on with the rest
     * of a structure's beginning, a value of its schema and its end, and is free again, or ends.
     *
     * @param structures at least one
     * @param triggers at least one, none of them empty; each structure begins with one, and each is
     *     the beginning of one
     * @param atLeastOne the output begins with a tag
     * @param stopAfterFirst the output ends after its first tag
     */
    record StructuralTags(
            List<Structure> structures,
            List<String> triggers,
            boolean atLeastOne,
            boolean stopAfterFirst,
            JsonStyle style)
            implements Constraint {
        public StructuralTags(List<Structure> structures, List<String> triggers) {
            this(structures, triggers, false, false, JsonStyle.DEFAULT);
        }

        /**
         * A tag.
         *
         * @param begin a control token's spelling in it is that token, as in {@code end}
         * @param schema as JSON
         */
        public record Structure(String begin, String schema, String end) {}

        public StructuralTags {
            structures = List.copyOf(structures);
            triggers = List.copyOf(triggers);
            if (structures.isEmpty() || triggers.isEmpty() || triggers.contains("")) {
                throw EngineException.invalid(
                        PARAM,
                        "structural tags must have at least 1 structure and 1 trigger, none of"
                                + " them empty: structures="
                                + structures.size()
                                + " triggers="
                                + triggers);
            }
            for (Structure each : structures) {
                if (triggers.stream().noneMatch(each.begin::startsWith)) {
                    throw EngineException.invalid(
                            PARAM, "no trigger begins the structure: begin=" + each.begin);
                }
            }
            for (String trigger : triggers) {
                if (structures.stream().noneMatch(each -> each.begin.startsWith(trigger))) {
                    throw EngineException.invalid(
                            PARAM, "no structure begins with the trigger: trigger=" + trigger);
                }
            }
        }
    }

    /**
     * Reasoning, which may be anything, and then an answer under a constraint: what follows the end
     * marker is the answer's. The output begins inside of the reasoning where the prompt ends with
     * the marker that opens it, and white space; with the answer where it ends so with the marker
     * that closes it, as templates write for a model that is not to think. Else the model chooses:
     * it opens the reasoning with its first tokens, or answers at once.
     *
     * <p>No end token is drawn within the reasoning. White space behind the end marker, in the same
     * token, is dropped; a token that goes on beyond it with anything else is not drawn.
     *
     * @param answer not such a constraint itself
     */
    record AfterReasoning(Constraint answer, Reasoning reasoning) implements Constraint {
        public AfterReasoning {
            if (answer instanceof AfterReasoning) {
                throw EngineException.invalid(PARAM, "an answer has no reasoning of its own");
            }
        }
    }

    /** The field that errors about a constraint name. */
    String PARAM = "constraint";
}
