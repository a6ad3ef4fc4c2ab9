package io.cortado.constrain.schema;

import io.cortado.constrain.CompiledGrammar;
import io.cortado.constrain.GrammarException;
import io.cortado.constrain.GrammarException.Reason;
import io.cortado.constrain.GrammarLimits;
import io.cortado.constrain.Regex;
import io.cortado.constrain.Regexes;
import io.cortado.constrain.Syntax;
import io.cortado.constrain.TokenSet;
import io.cortado.constrain.TokenTable;
import java.util.ArrayList;
import java.util.List;

/**
 * Grammars of free text in which tags hold JSON: where a trigger is first met, the text goes on
 * with the rest of a tag's beginning, a value of its schema and its end, and is free again. The
 * text may end wherever it is free.
 *
 * <p>The spelling of a control token in a beginning or an end is that token; a trigger may be one,
 * or begin with one. Its letters are no trigger, and cannot be written either.
 */
public final class TaggedText {
    /** The schema as JSON. */
    public record Tag(String begin, String schema, String end) {}

    /**
     * How many tags.
     *
     * @param atLeastOne the text begins with one
     * @param stopAfterFirst the text ends with its first
     */
    public record Bounds(boolean atLeastOne, boolean stopAfterFirst) {
        public static final Bounds ANY = new Bounds(false, false);
    }

    private final SchemaOptions options;
    private final TokenTable vocabulary;
    private final GrammarLimits limits;
    private final Regexes regexes;

    private TaggedText(SchemaOptions options, TokenTable vocabulary, GrammarLimits limits) {
        this.options = options;
        this.vocabulary = vocabulary;
        this.limits = limits;
        regexes = new Regexes(limits);
    }

    /**
     * @param triggers not empty, each the beginning of some tag's, and each tag's of one
     * @throws GrammarException with {@code /structures/I/schema} and a JSON Pointer into it
     */
    public static CompiledGrammar compile(
            List<Tag> tags,
            List<String> triggers,
            Bounds bounds,
            SchemaOptions options,
            TokenTable vocabulary,
            GrammarLimits limits) {
        var text = new TaggedText(options, vocabulary, limits);
        Syntax whole = text.syntax(tags, triggers, bounds);
        return CompiledGrammar.of(
                Syntax.start(whole, text.regexes), text.regexes, limits, vocabulary);
    }

    private Syntax syntax(List<Tag> tags, List<String> triggers, Bounds bounds) {
        List<Syntax> values = values(tags);
        Syntax direct = direct(tags, values);
        if (bounds.atLeastOne && bounds.stopAfterFirst) {
            return direct;
        }
        Regex anyTrigger = regexes.or(triggers.stream().map(regexes::literal).toList());
        Regex free =
                regexes.textExcept(
                        regexes.concat(List.of(regexes.text(), anyTrigger, regexes.text())));
        List<Syntax> opened = new ArrayList<>();
        for (String trigger : triggers) {
            List<Syntax> rests = new ArrayList<>();
            for (int i = 0; i < tags.size(); i++) {
                Tag tag = tags.get(i);
                if (tag.begin.startsWith(trigger)) {
                    List<Syntax> rest = spelled(tag.begin.substring(trigger.length()));
                    rest.add(values.get(i));
                    rest.addAll(spelled(tag.end));
                    rests.add(new Syntax.Sequence(rest));
                }
            }
            List<Syntax> tagged = opening(trigger, anyTrigger, free);
            tagged.add(new Syntax.Choice(rests));
            opened.add(new Syntax.Sequence(tagged));
        }
        if (bounds.stopAfterFirst) {
            opened.add(new Syntax.Lexeme(free));
            return new Syntax.Choice(opened);
        }
        List<Syntax> whole = new ArrayList<>();
        if (bounds.atLeastOne) {
            whole.add(direct);
        }
        whole.add(new Syntax.Repeat(new Syntax.Choice(opened), 0, Regexes.UNBOUNDED));
        whole.add(new Syntax.Lexeme(free));
        return new Syntax.Sequence(whole);
    }

    private List<Syntax> values(List<Tag> tags) {
        long numChars = 0;
        List<Syntax> values = new ArrayList<>();
        for (int i = 0; i < tags.size(); i++) {
            Tag tag = tags.get(i);
            numChars += (long) tag.begin.length() + tag.schema.length() + tag.end.length();
            values.add(value(tag, i));
        }
        if (numChars > limits.maxInputChars()) {
            throw new GrammarException(
                    Reason.LIMIT,
                    "/structures",
                    "tags must not be longer than allowed: characters=%d limit=%d"
                            .formatted(numChars, limits.maxInputChars()));
        }
        return values;
    }

    /** One of the tags, and no text before it. */
    private Syntax direct(List<Tag> tags, List<Syntax> values) {
        List<Syntax> whole = new ArrayList<>();
        for (int i = 0; i < tags.size(); i++) {
            List<Syntax> tag = spelled(tags.get(i).begin);
            tag.add(values.get(i));
            tag.addAll(spelled(tags.get(i).end));
            whole.add(new Syntax.Sequence(tag));
        }
        return new Syntax.Choice(whole);
    }

    private Syntax value(Tag tag, int index) {
        try {
            return new Syntax.States(JsonSchema.start(tag.schema, options, regexes, limits));
        } catch (GrammarException e) {
            throw e.within("/structures/" + index + "/schema");
        }
    }

    /**
     * Free text and the trigger: of letters, up to where any first ends, so that none is missed.
     */
    private List<Syntax> opening(String trigger, Regex anyTrigger, Regex free) {
        List<Syntax> spelled = spelled(trigger);
        if (spelled.getFirst() instanceof Syntax.Tokens) {
            spelled.addFirst(new Syntax.Lexeme(free));
            return spelled;
        }
        if (spelled.size() > 1) {
            throw new GrammarException(
                    Reason.UNSUPPORTED,
                    "/triggers",
                    "a control token within a trigger is not supported: trigger=" + trigger);
        }
        Regex first = regexes.shortest(regexes.concat(regexes.text(), anyTrigger));
        Regex ended = regexes.concat(regexes.text(), regexes.literal(trigger));
        return new ArrayList<>(List.of(new Syntax.Lexeme(regexes.and(first, ended))));
    }

    /** Control tokens as tokens, the longest first, and the letters between them. */
    private List<Syntax> spelled(String text) {
        List<Syntax> parts = new ArrayList<>();
        int from = 0;
        for (int i = 0; i < text.length(); i++) {
            String control = vocabulary.controlAt(text, i);
            if (!control.isEmpty()) {
                addLetters(text.substring(from, i), parts);
                int id = vocabulary.control(control).orElseThrow();
                parts.add(new Syntax.Tokens(TokenSet.of(id)));
                from = i + control.length();
                i = from - 1;
            }
        }
        addLetters(text.substring(from), parts);
        return parts;
    }

    private void addLetters(String letters, List<Syntax> parts) {
        if (!letters.isEmpty()) {
            parts.add(new Syntax.Lexeme(regexes.literal(letters)));
        }
    }
}
