package io.cortado.constrain.schema;

/** The grammar of RFC 3986, of RFC 3987 with more characters, and of RFC 6570, as patterns. */
final class Uris {
    /** The characters that an IRI has beyond those of a URI. */
    static final String UNICODE =
            "\\u00a0-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\uffef\\u{10000}-\\u{1fffd}\\u{20000}-\\u{2fffd}"
                    + "\\u{30000}-\\u{3fffd}";

    private static final String PERCENT = "%[0-9a-fA-F]{2}";
    private static final String OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    private static final String SUB = "!$&'()*+,;=";

    private Uris() {}

    static String uri(String more) {
        String path = part(more, ":@");
        String rootless = path + "+(?:/" + path + "*)*";
        String hierarchical =
                "(?://"
                        + authority(more)
                        + "(?:/"
                        + path
                        + "*)*|/(?:"
                        + rootless
                        + ")?|"
                        + rootless
                        + ")?";
        return "[a-zA-Z][a-zA-Z0-9+.-]*:" + hierarchical + tail(more);
    }

    static String reference(String more) {
        String path = part(more, ":@");
        String first = part(more, "@");
        String relative =
                "(?://"
                        + authority(more)
                        + "(?:/"
                        + path
                        + "*)*|/(?:"
                        + path
                        + "+(?:/"
                        + path
                        + "*)*)?|"
                        + first
                        + "+(?:/"
                        + path
                        + "*)*)?";
        return "(?:" + uri(more) + "|" + relative + tail(more) + ")";
    }

    private static String tail(String more) {
        String query = part(more, ":@/?");
        return "(?:\\?" + query + "*)?(?:#" + query + "*)?";
    }

    private static String authority(String more) {
        String ipv4 = OCTET + "(?:\\." + OCTET + "){3}";
        String ipv6 = FormatPatterns.ipv6();
        String literal = "\\[(?:" + ipv6 + "|[vV][0-9a-fA-F]+\\.[a-zA-Z0-9._~" + SUB + ":-]+)\\]";
        String host = "(?:" + literal + "|" + ipv4 + "|" + part(more, "") + "*)";
        return "(?:" + part(more, ":") + "*@)?" + host + "(?::[0-9]*)?";
    }

    /** One character of a part of a URI. */
    private static String part(String more, String also) {
        return "(?:[a-zA-Z0-9._~" + SUB + also + more + "-]|" + PERCENT + ")";
    }

    static String template() {
        String name = "(?:[a-zA-Z0-9_]|" + PERCENT + ")(?:\\.?(?:[a-zA-Z0-9_]|" + PERCENT + "))*";
        String variable = name + "(?::[1-9][0-9]{0,3}|\\*)?";
        String expression = "\\{[+#./;?&=,!@|]?" + variable + "(?:," + variable + ")*\\}";
        String literal = "[!#$&-;=?-\\[\\]_a-z~" + UNICODE + "]|" + PERCENT;
        return "(?:" + literal + "|" + expression + ")*";
    }
}
