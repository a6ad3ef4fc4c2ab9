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
     * A JSON value that a schema accepts, with the formats that it names; members of objects come
     * in any order.
     *
     * @param schema as JSON; of draft 2020-12 unless its {@code $schema} names another
     */
    record JsonSchema(String schema) implements Constraint {}

    /** Any JSON object. */
    record JsonObject() implements Constraint {}

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

    /** The field that errors about a constraint name. */
    String PARAM = "constraint";
}
