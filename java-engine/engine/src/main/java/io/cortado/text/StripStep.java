package io.cortado.text;

/**
 * Takes a character away at the ends of each token.
 *
 * @param content the character
 * @param start how many of it go at the start, at most
 * @param stop how many of it go at the end, at most
 */
record StripStep(String content, int start, int stop) implements DecoderStep {
    @Override
    public TokenStream open(TokenStream next) {
        return new Stream(next);
    }

    private final class Stream implements TokenStream {
        private final TokenStream next;
        private int leading = start;
        private String held = "";

        Stream(TokenStream next) {
            this.next = next;
        }

        @Override
        public void accept(String piece, boolean endsToken) {
            int from = 0;
            while (leading > 0 && piece.startsWith(content, from)) {
                from += content.length();
                leading--;
            }
            if (from < piece.length()) {
                leading = 0;
            }
            String text = held + piece.substring(from);
            int to = text.length();
            for (int i = 0; i < stop && text.substring(0, to).endsWith(content); i++) {
                to -= content.length();
            }
            held = endsToken ? "" : text.substring(to);
            if (endsToken) {
                leading = start;
            }
            next.accept(text.substring(0, to), endsToken);
        }

        @Override
        public void finish() {
            next.finish();
        }

        @Override
        public boolean holdsText() {
            return !held.isEmpty() || next.holdsText();
        }
    }

    @Override
    public MiddleToken middle(MiddleToken token) {
        if (token.fused()) {
            return token;
        }
        var stripped = new StringBuilder();
        var stream =
                open(
                        new TokenStream() {
                            @Override
                            public void accept(String piece, boolean endsToken) {
                                stripped.append(piece);
                            }

                            @Override
                            public void finish() {}

                            @Override
                            public boolean holdsText() {
                                return false;
                            }
                        });
        return token.map(text -> {
            stream.accept(text, true);
            return stripped.toString();
        });
    }
}
