package io.cortado.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Escaping and its opposite, as MarkupSafe does both. */
final class Html {
    private static final Pattern ENTITY =
            Pattern.compile(
                    "&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z][a-zA-Z0-9]{1,31}));?");
    private static final Pattern BAD_ATTRIBUTE = Pattern.compile("[\\s/>=]");

    /** The entities of XML and of everyday text; HTML knows two thousand. */
    private static final Map<String, String> ENTITIES =
            Map.ofEntries(
                    Map.entry("amp", "&"),
                    Map.entry("lt", "<"),
                    Map.entry("gt", ">"),
                    Map.entry("quot", "\""),
                    Map.entry("apos", "'"),
                    Map.entry("nbsp", "\u00A0"),
                    Map.entry("copy", "\u00A9"),
                    Map.entry("reg", "\u00AE"),
                    Map.entry("trade", "\u2122"),
                    Map.entry("hellip", "\u2026"),
                    Map.entry("mdash", "\u2014"),
                    Map.entry("ndash", "\u2013"),
                    Map.entry("laquo", "\u00AB"),
                    Map.entry("raquo", "\u00BB"),
                    Map.entry("lsquo", "\u2018"),
                    Map.entry("rsquo", "\u2019"),
                    Map.entry("ldquo", "\u201C"),
                    Map.entry("rdquo", "\u201D"),
                    Map.entry("bull", "\u2022"),
                    Map.entry("middot", "\u00B7"),
                    Map.entry("times", "\u00D7"),
                    Map.entry("euro", "\u20AC"));

    private Html() {}

    /** A text that is marked up as it is, or escaped and then marked up. */
    static Str markup(Str s, Budget budget) {
        return s.isMarkup() ? s : escape(s, budget);
    }

    static Str escape(Str s, Budget budget) {
        budget.text(s.text().length());
        Str escaped =
                s.map(text ->
                        text.replace("&", "&amp;")
                                .replace("<", "&lt;")
                                .replace(">", "&gt;")
                                .replace("'", "&#39;")
                                .replace("\"", "&#34;"));
        budget.text(escaped.text().length());
        return escaped.markup(true);
    }

    static Str stripTags(Str s, Budget budget) {
        budget.text(s.text().length());
        String bare = without(without(s.text(), "<!--", "-->"), "<", ">");
        List<String> words = new ArrayList<>();
        for (Object word : StrSplit.spaces(Str.literal(bare), -1, budget)) {
            words.add(((Str) word).text());
        }
        return s.derive(unescape(String.join(" ", words))).markup(false);
    }

    private static String without(String text, String open, String close) {
        var out = new StringBuilder();
        int from = 0;
        for (int start = text.indexOf(open); start >= 0; start = text.indexOf(open, from)) {
            int end = text.indexOf(close, start);
            if (end < 0) {
                break;
            }
            out.append(text, from, start);
            from = end + close.length();
        }
        return out.append(text, from, text.length()).toString();
    }

    private static String unescape(String text) {
        return ENTITY.matcher(text).replaceAll(match -> Matcher.quoteReplacement(entity(match)));
    }

    private static String entity(java.util.regex.MatchResult match) {
        String name = match.group(3);
        if (name != null) {
            String known = ENTITIES.get(name);
            if (known == null) {
                throw new TemplateException("striptags does not know the entity: name=" + name);
            }
            return known;
        }
        int code =
                match.group(1) != null
                        ? Integer.parseInt(match.group(1))
                        : Integer.parseInt(match.group(2), 16);
        boolean isValid = code > 0 && code <= Character.MAX_CODE_POINT && (code >> 11) != 0x1B;
        return isValid ? Character.toString(code) : "\uFFFD";
    }

    static Str attributes(Map<Object, Object> map, boolean leadingSpace, Budget budget) {
        var out = new Str.Builder();
        for (Map.Entry<Object, Object> entry : map.entrySet()) {
            Object value = entry.getValue();
            if (value == None.NONE || value instanceof Undefined) {
                continue;
            }
            Str key = Operators.text(entry.getKey(), "attribute name");
            if (BAD_ATTRIBUTE.matcher(key.text()).find()) {
                throw new TemplateException("invalid character in attribute name: " + key);
            }
            out.append(Str.literal(out.length() > 0 || leadingSpace ? " " : ""));
            out.append(markup(key, budget)).append(Str.literal("=\""));
            out.append(markup(Repr.str(value, budget), budget)).append(Str.literal("\""));
            budget.bound(out.length());
        }
        return out.build();
    }
}
