package io.cortado.server.record;

import io.cortado.api.Constraint;
import io.cortado.api.Constraint.StructuralTags.Structure;
import io.cortado.api.JsonStyle;
import io.cortado.api.Reasoning;
import io.cortado.server.JsonOut;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** What an output has to be as JSON, there and back. */
final class ConstraintJson {
    private static final String TYPE = "type";
    private static final String JSON_SCHEMA = "json_schema";
    private static final String JSON_OBJECT = "json_object";
    private static final String REGEX = "regex";
    private static final String CHOICE = "choice";
    private static final String GRAMMAR = "grammar";
    private static final String STRUCTURAL_TAGS = "structural_tags";
    private static final String STRUCTURES = "structures";
    private static final String TRIGGERS = "triggers";
    private static final String BEGIN = "begin";
    private static final String SCHEMA = "schema";
    private static final String END = "end";
    private static final String AT_LEAST_ONE = "at_least_one";
    private static final String STOP_AFTER_FIRST = "stop_after_first";
    private static final String AFTER_REASONING = "after_reasoning";
    private static final String ANSWER = "answer";
    private static final String WHITESPACE = "whitespace";
    private static final String ORDER = "order";
    private static final String CLOSED_OBJECTS = "closed_objects";

    private ConstraintJson() {}

    static void write(JsonOut out, Constraint constraint) {
        out.open();
        switch (constraint) {
            case Constraint.JsonSchema(var schema, var style) -> {
                text(out, JSON_SCHEMA, schema);
                style(out, style);
            }
            case Constraint.JsonObject(var style) -> style(out.field(TYPE, JSON_OBJECT), style);
            case Constraint.Regex(var pattern) -> text(out, REGEX, pattern);
            case Constraint.Choice(var texts) ->
                    ParamsJson.strings(out.field(TYPE, CHOICE), CHOICE, texts);
            case Constraint.Grammar(var text) -> text(out, GRAMMAR, text);
            case Constraint.StructuralTags tags -> {
                out.field(TYPE, STRUCTURAL_TAGS).name(STRUCTURES).openArray();
                for (Structure each : tags.structures()) {
                    out.open().field(BEGIN, each.begin()).field(SCHEMA, each.schema());
                    out.field(END, each.end()).close();
                }
                out.closeArray();
                ParamsJson.strings(out, TRIGGERS, tags.triggers());
                out.name(AT_LEAST_ONE).value(tags.atLeastOne());
                out.name(STOP_AFTER_FIRST).value(tags.stopAfterFirst());
                style(out, tags.style());
            }
            case Constraint.AfterReasoning(var answer, var reasoning) -> {
                out.field(TYPE, AFTER_REASONING).field(BEGIN, reasoning.begin());
                out.field(END, reasoning.end());
                write(out.name(ANSWER), answer);
            }
        }
        out.close();
    }

    private static void text(JsonOut out, String type, String text) {
        out.field(TYPE, type).field(type, text);
    }

    private static void style(JsonOut out, JsonStyle style) {
        out.field(WHITESPACE, style.whitespace().name()).field(ORDER, style.order().name());
        out.name(CLOSED_OBJECTS).value(style.closedObjects());
    }

    /** Recordings of before there were styles have the default one. */
    private static JsonStyle style(JsonNode node) {
        JsonStyle usual = JsonStyle.DEFAULT;
        String whitespace = node.path(WHITESPACE).asString(usual.whitespace().name());
        String order = node.path(ORDER).asString(usual.order().name());
        return new JsonStyle(
                JsonStyle.Whitespace.valueOf(whitespace),
                JsonStyle.PropertyOrder.valueOf(order),
                node.path(CLOSED_OBJECTS).asBoolean(usual.closedObjects()));
    }

    /** Null where there is none. */
    static @Nullable Constraint read(@Nullable JsonNode node) {
        if (node == null) {
            return null;
        }
        String type = ParamsJson.required(node, TYPE).stringValue();
        return switch (type) {
            case JSON_SCHEMA -> new Constraint.JsonSchema(text(node, type), style(node));
            case JSON_OBJECT -> new Constraint.JsonObject(style(node));
            case REGEX -> new Constraint.Regex(text(node, type));
            case CHOICE ->
                    new Constraint.Choice(ParamsJson.strings(ParamsJson.required(node, CHOICE)));
            case GRAMMAR -> new Constraint.Grammar(text(node, type));
            case STRUCTURAL_TAGS ->
                    new Constraint.StructuralTags(
                            ParamsJson.required(node, STRUCTURES)
                                    .valueStream()
                                    .map(each ->
                                            new Structure(
                                                    text(each, BEGIN),
                                                    text(each, SCHEMA),
                                                    text(each, END)))
                                    .toList(),
                            ParamsJson.strings(ParamsJson.required(node, TRIGGERS)),
                            node.path(AT_LEAST_ONE).asBoolean(false),
                            node.path(STOP_AFTER_FIRST).asBoolean(false),
                            style(node));
            case AFTER_REASONING ->
                    new Constraint.AfterReasoning(
                            Objects.requireNonNull(read(ParamsJson.required(node, ANSWER))),
                            new Reasoning(text(node, BEGIN), text(node, END)));
            default ->
                    throw new IllegalArgumentException(
                            "a recorded constraint has an unknown type: " + type);
        };
    }

    private static String text(JsonNode node, String type) {
        return ParamsJson.required(node, type).stringValue();
    }
}
