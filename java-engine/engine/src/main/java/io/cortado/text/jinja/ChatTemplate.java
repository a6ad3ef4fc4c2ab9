package io.cortado.text.jinja;

import io.cortado.text.Origin;
import io.cortado.text.Segment;
import java.util.ArrayList;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A chat template, compiled once; immutable and thread-safe.
 *
 * <p>Variables are null, booleans, numbers, strings, lists and maps. A rendering has a budget of
 * steps, time, depth and output, and a template cannot reach any object but these values.
 */
public final class ChatTemplate {
    private static final int MAX_SOURCE_CHARS = 1 << 20;

    private final Parser.Parsed parsed;
    private final int sourceChars;
    private final TemplateOptions options;

    private ChatTemplate(Parser.Parsed parsed, int sourceChars, TemplateOptions options) {
        this.parsed = parsed;
        this.sourceChars = sourceChars;
        this.options = options;
    }

    /** Compiles as Hugging Face transformers does: trim_blocks and lstrip_blocks are on. */
    public static ChatTemplate compile(String source) {
        return compile(source, TemplateOptions.CHAT);
    }

    public static ChatTemplate compile(String source, TemplateOptions options) {
        if (source.length() > MAX_SOURCE_CHARS) {
            throw TemplateException.budget(
                    "template too long: chars=" + source.length() + " limit=" + MAX_SOURCE_CHARS);
        }
        try {
            return new ChatTemplate(Parser.parse(source, options), source.length(), options);
        } catch (StackOverflowError e) {
            throw TemplateException.budget("template nested too deep: chars=" + source.length());
        }
    }

    /**
     * Renders with variables by name. Strings under the options' trusted names are the template's
     * own; all others, and what is computed from them, are {@link Origin#USER}.
     */
    public Rendered render(Map<String, ? extends @Nullable Object> variables) {
        var values = new Values();
        var copies = new java.util.HashMap<String, Object>();
        variables.forEach((name, value) ->
                copies.put(
                        name,
                        values.copy(
                                value,
                                options.trustedNames().contains(name)
                                        ? Origin.TEMPLATE
                                        : Origin.USER)));
        var budget = new Budget(values.chars() + sourceChars);
        Map<String, Object> names = Globals.create(options, budget);
        names.putAll(copies);
        try {
            Scope top = new Scope(names).inner();
            var interpreter = new Interpreter(budget, top);
            if (!parsed.blocks().isEmpty()) {
                names.put("self", interpreter.self(parsed.blocks()));
            }
            return rendered(interpreter.render(parsed.body()));
        } catch (StackOverflowError e) {
            throw TemplateException.budget(
                    "template nested too deep to render: chars=" + sourceChars);
        }
    }

    private static Rendered rendered(Str text) {
        var segments = new ArrayList<Segment>();
        text.stretches((piece, origin) -> segments.add(new Segment(piece, origin)));
        return new Rendered(text.text(), segments);
    }
}
