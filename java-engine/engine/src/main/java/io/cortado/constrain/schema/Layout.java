package io.cortado.constrain.schema;

import io.cortado.constrain.ByteSet;
import io.cortado.constrain.Regex;
import io.cortado.constrain.Regexes;
import java.util.List;

/** What stands between values. */
final class Layout {
    private static final int MAX_INDENT = 20;

    final boolean isDeclaredOrder;
    final Regex objectStart;
    final Regex objectEnd;
    final Regex arrayStart;
    final Regex arrayEnd;
    final Regex comma;
    final Regex quote;
    final Regex colon;

    Layout(Regexes regexes, SchemaOptions options) {
        isDeclaredOrder = options.order() == SchemaOptions.PropertyOrder.DECLARED;
        Regex space =
                switch (options.whitespace()) {
                    case NONE -> regexes.empty();
                    case BOUNDED -> {
                        Regex indent =
                                regexes.repeat(
                                        regexes.bytes(ByteSet.of(' ').or(ByteSet.of('\t'))),
                                        0,
                                        MAX_INDENT);
                        Regex line =
                                regexes.concat(
                                        List.of(
                                                regexes.optional(regexes.literal("\r")),
                                                regexes.literal("\n"),
                                                indent));
                        yield regexes.or(List.of(regexes.empty(), regexes.literal(" "), line));
                    }
                };
        objectStart = regexes.concat(regexes.literal("{"), space);
        objectEnd = regexes.literal("}");
        arrayStart = regexes.concat(regexes.literal("["), space);
        arrayEnd = regexes.literal("]");
        comma = regexes.concat(regexes.literal(","), space);
        quote = regexes.literal("\"");
        colon = regexes.concat(regexes.literal("\":"), space);
        laterObjectEnd = regexes.concat(space, objectEnd);
        laterArrayEnd = regexes.concat(space, arrayEnd);
    }

    /** After a property. */
    final Regex laterObjectEnd;

    /** After an item. */
    final Regex laterArrayEnd;
}
