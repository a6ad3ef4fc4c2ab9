package io.cortado.text;

/** Takes the tokens of one text in pieces, from left to right. */
interface TokenStream {
    /** A piece of the current token, and whether that ends with it. */
    void accept(String piece, boolean endsToken);

    /** No token follows. */
    void finish();

    /** Whether text of the tokens so far is held back here or further on. */
    boolean holdsText();

    /** A step that needs its tokens whole. */
    abstract class OfWholeTokens implements TokenStream {
        protected final TokenStream next;
        private final StringBuilder begun = new StringBuilder();

        OfWholeTokens(TokenStream next) {
            this.next = next;
        }

        @Override
        public final void accept(String piece, boolean endsToken) {
            if (endsToken && begun.isEmpty()) {
                token(piece);
                return;
            }
            begun.append(piece);
            if (endsToken) {
                String token = begun.toString();
                begun.setLength(0);
                token(token);
            }
        }

        @Override
        public void finish() {
            next.finish();
        }

        @Override
        public boolean holdsText() {
            return !begun.isEmpty() || next.holdsText();
        }

        abstract void token(String token);
    }
}
