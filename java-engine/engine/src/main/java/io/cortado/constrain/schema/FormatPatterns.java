package io.cortado.constrain.schema;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The formats of JSON Schema as ECMA-262 patterns of whole strings: by RFC 3339, 5321, 1123, 3986,
 * 3987, 4122, 6570, 6901 and ISO 8601. Where a format is not regular, or hardly so, there are two:
 * strings that surely are such, and strings that may be.
 */
final class FormatPatterns {
    /**
     * A format.
     *
     * @param surely strings of the format
     * @param maybe all strings of the format, and perhaps others
     */
    record Format(String surely, String maybe) {}

    private static final Map<String, Format> ALL = new HashMap<>();

    private static final String LEAP =
            "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)";
    private static final String DATE =
            "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
                    + "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|"
                    + LEAP
                    + "-02-29)";
    private static final String OFFSET = "(?:[zZ]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
    private static final String MINUTES = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:";
    private static final String FRACTION = "(?:\\.[0-9]+)?";
    private static final String TIME =
            "(?:"
                    + MINUTES
                    + "[0-5][0-9]"
                    + FRACTION
                    + OFFSET
                    + "|23:59:60"
                    + FRACTION
                    + "(?:[zZ]|[+-]00:00))";

    /** A leap second is at 23:59:60 UTC; with offsets that is not worth its states. */
    private static final String ANY_TIME =
            "(?:" + MINUTES + "(?:[0-5][0-9]|60)" + FRACTION + OFFSET + ")";

    private static final String LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
    private static final String ANY_HOSTNAME = LABEL + "(?:\\.(?:" + LABEL + "))*";

    /**
     * Without the limit of 253 characters as a condition of its own, which would make each place a
     * state: three long labels, or ten short ones. Two hyphens in a row are left out, as labels of
     * other standards have them.
     */
    private static final String HOSTNAME = "(?:" + labels(63, 2) + "|" + labels(24, 9) + ")";

    private static final String OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    private static final String IPV4 = "(?:" + OCTET + "(?:\\." + OCTET + "){3})";
    private static final String H16 = "[0-9a-fA-F]{1,4}";
    private static final String LS32 = "(?:" + H16 + ":" + H16 + "|" + IPV4 + ")";
    private static final String IPV6 = ipv6();
    private static final String ATEXT = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+";
    private static final String LOCAL =
            "(?:" + ATEXT + "(?:\\." + ATEXT + ")*|\"(?:[ !#-\\[\\]-~]|\\\\[ -~])*\")";
    private static final String POINTER = "(?:/(?:[^~/]|~[01])*)*";
    private static final String UUID =
            "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
    private static final String DURATION = duration();
    private static final String IDN = "[\\u3041-\\u3096\\u4e00-\\u9fff\\uac00-\\ud7a3]";

    static {
        exact("date", DATE);
        ALL.put("time", new Format(TIME, ANY_TIME));
        ALL.put("date-time", new Format(DATE + "[tT]" + TIME, DATE + "[tT]" + ANY_TIME));
        exact("duration", DURATION);
        ALL.put("hostname", new Format(HOSTNAME, ANY_HOSTNAME));
        exact("ipv4", IPV4);
        exact("ipv6", IPV6);
        exact("uuid", UUID);
        exact("json-pointer", POINTER);
        exact("relative-json-pointer", "(?:0|[1-9][0-9]*)(?:#|" + POINTER + ")");
        String literal = "\\[(?:" + IPV4 + "|IPv6:" + IPV6 + ")\\]";
        ALL.put(
                "email",
                new Format(
                        LOCAL + "@(?:" + HOSTNAME + "|" + literal + ")",
                        LOCAL + "@(?:" + ANY_HOSTNAME + "|" + literal + ")"));
        exact("uri", Uris.uri(""));
        exact("uri-reference", Uris.reference(""));
        exact("iri", Uris.uri(Uris.UNICODE));
        exact("iri-reference", Uris.reference(Uris.UNICODE));
        exact("uri-template", Uris.template());
        String name = "(?:" + HOSTNAME + "|" + IDN + "{1,12}(?:\\." + IDN + "{1,12}){0,3})";
        ALL.put("idn-hostname", new Format(name, "[^]*"));
        String local = "(?:[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]|[\\u00a1-\\ud7ff])";
        ALL.put(
                "idn-email",
                new Format("(?:" + LOCAL + "|" + local + "{1,64})@" + name, "[^]*@[^]*"));
        ALL.put("regex", new Format(regex(2), "[^]*"));
    }

    private FormatPatterns() {}

    /** Null where the format has no meaning. */
    static @Nullable Format of(String name) {
        return ALL.get(name);
    }

    private static void exact(String name, String pattern) {
        ALL.put(name, new Format(pattern, pattern));
    }

    /** A label of up to so many characters, and up to so many more. */
    private static String labels(int maxChars, int more) {
        String label =
                "(?:[a-zA-Z0-9]{1,"
                        + maxChars
                        + "}|[a-zA-Z0-9](?:-?[a-zA-Z0-9]){0,"
                        + (maxChars - 1) / 2
                        + "})";
        return label + "(?:\\." + label + "){0," + more + "}";
    }

    static String ipv6() {
        String colon = "(?:" + H16 + ":)";
        return "(?:" + colon + "{6}" + LS32 + "|::" + colon + "{5}" + LS32 + "|(?:" + H16 + ")?::"
                + colon + "{4}" + LS32 + "|(?:" + colon + "{0,1}" + H16 + ")?::" + colon + "{3}"
                + LS32 + "|(?:" + colon + "{0,2}" + H16 + ")?::" + colon + "{2}" + LS32 + "|(?:"
                + colon + "{0,3}" + H16 + ")?::" + colon + LS32 + "|(?:" + colon + "{0,4}" + H16
                + ")?::" + LS32 + "|(?:" + colon + "{0,5}" + H16 + ")?::" + H16 + "|(?:" + colon
                + "{0,6}" + H16 + ")?::)";
    }

    private static String duration() {
        String seconds = "[0-9]+S";
        String minutes = "(?:[0-9]+M(?:" + seconds + ")?)";
        String hours = "(?:[0-9]+H" + minutes + "?)";
        String time = "T(?:" + hours + "|" + minutes + "|" + seconds + ")";
        String months = "(?:[0-9]+M(?:[0-9]+D)?)";
        String years = "(?:[0-9]+Y" + months + "?)";
        String date = "(?:" + years + "|" + months + "|[0-9]+D)";
        return "P(?:" + date + "(?:" + time + ")?|" + time + "|[0-9]+W)";
    }

    /** In braces, one number, or two of which the first is not larger. */
    private static String count() {
        var pairs = new StringBuilder("[0-9],[1-9][0-9]");
        for (int low = 0; low <= 9; low++) {
            pairs.append('|').append(low).append(",[").append(low).append("-9]");
        }
        return "\\{(?:[0-9]{1,3},?|" + pairs + ")\\}";
    }

    /** Simple patterns with groups to a depth: whether any other is one is left open. */
    private static String regex(int depth) {
        String escape = "\\\\(?:[dDwWsSbBtnrfv^$\\\\.*+?()\\[\\]{}|/]|c[a-zA-Z])";
        String one = "[^\\\\()\\[\\]{}*+?|^$.\\n-]";
        String set = "\\[\\^?(?:a-z|A-Z|0-9|a-f|A-F|" + escape + "|[^\\\\\\[\\]^\\n-])*-?\\]";
        String atom = one + "|-|\\.|" + escape + "|" + set;
        if (depth > 0) {
            atom += "|\\((?:\\?(?:[:=!]|<[=!]))?" + regex(depth - 1) + "\\)";
        }
        String term = "(?:(?:" + atom + ")(?:(?:[*+?]|" + count() + ")\\??)?|[\\^$])";
        return "(?:" + term + "*(?:\\|" + term + "*)*)";
    }
}
