package io.cortado.constrain.schema;

import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarException.Reason;
import io.cortado.constrain.GrammarLimits;
import io.cortado.constrain.Regexes;
import io.cortado.constrain.RuleState;
import io.cortado.constrain.TokenTable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/** Grammars whose outputs are the JSON values that a schema accepts. */
public final class JsonSchema {
    /** Whatever the size of a schema, and for each of its characters: its tree, and its text. */
    private static final long BASE_BYTES = 6_000;

    private static final long CHAR_BYTES = 8;

    private JsonSchema() {}

    /**
     * Compiles a schema.
     *
     * @param schema as JSON
     * @throws GrammarException with a JSON Pointer to what is wrong, cannot be enforced exactly, or
     *     is over a limit; UNSATISFIABLE where no value satisfies it
     */
    public static CompiledGrammar compile(
            String schema, SchemaOptions options, TokenTable vocabulary, GrammarLimits limits) {
        var regexes = new Regexes(limits);
        RuleState start = start(schema, options, regexes, limits);
        return CompiledGrammar.of(start, regexes, limits, vocabulary);
    }

    /** The rule of a schema's values, to be part of a larger grammar. */
    public static RuleState start(
            String schema, SchemaOptions options, Regexes regexes, GrammarLimits limits) {
        if (schema.length() > limits.maxInputChars()) {
            throw new GrammarException(
                    Reason.LIMIT,
                    "",
                    "a schema must not be longer than allowed: characters="
                            + schema.length()
                            + " limit="
                            + limits.maxInputChars());
        }
        JsonNode tree;
        try {
            tree = Json.parse(schema);
        } catch (JacksonException e) {
            throw new GrammarException(
                    Reason.SYNTAX, "", "a schema must be JSON: " + e.getOriginalMessage());
        }
        long textBytes = BASE_BYTES + CHAR_BYTES * schema.length();
        boolean keepsOrder = options.order() == SchemaOptions.PropertyOrder.DECLARED;
        var formulas = new Formulas(regexes, keepsOrder);
        regexes.count(() -> textBytes + formulas.sizeBytes());
        var documents = new Documents(options);
        Formula root = new SchemaReader(formulas, documents, options).readAll(tree);
        if (formulas.comparesItems()) {
            Reachable.check(root, formulas);
        }
        var shapes = new Shapes(formulas, new Layout(regexes, options));
        if (!shapes.isPossible(root)) {
            throw new GrammarException(Reason.UNSATISFIABLE, "", "no value satisfies the schema");
        }
        return new Values.Value(formulas.read(root), shapes);
    }
}
