package io.cortado.text;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The decoders of a {@code tokenizer.json}. */
final class DecoderSteps {
    private DecoderSteps() {}

    /** Byte letters to bytes, and all of them to one text. */
    record ByteLevel() implements DecoderStep {
        @Override
        public TokenStream open(TokenStream next) {
            return new TokenStream.OfWholeTokens(next) {
                private final Utf8Stream utf8 = new Utf8Stream();
                private final StringBuilder out = new StringBuilder();

                @Override
                void token(String token) {
                    utf8.feed(bytes(token), out);
                    emit(false);
                }

                @Override
                public void finish() {
                    utf8.flush(out);
                    emit(true);
                    next.finish();
                }

                private void emit(boolean endsToken) {
                    String text = out.toString();
                    out.setLength(0);
                    next.accept(text, endsToken);
                }

                @Override
                public boolean holdsText() {
                    return utf8.isMidCharacter() || super.holdsText();
                }
            };
        }

        @Override
        public MiddleToken middle(MiddleToken token) {
            return token.bytes() != null ? token : token.withBytes(bytes(token.text())).fuse();
        }

        private static byte[] bytes(String token) {
            byte[] spelled = ByteLetters.bytes(token);
            return spelled != null ? spelled : token.getBytes(StandardCharsets.UTF_8);
        }
    }

    /** Runs of byte tokens to text: all of a run that is no UTF-8 becomes U+FFFD, one a byte. */
    record ByteFallback() implements DecoderStep {
        @Override
        public TokenStream open(TokenStream next) {
            return new TokenStream.OfWholeTokens(next) {
                private final IntList run = new IntList();

                @Override
                void token(String token) {
                    int b = ByteTokens.byteOf(token);
                    if (b >= 0) {
                        run.add(b);
                    } else {
                        endRun();
                        next.accept(token, true);
                    }
                }

                @Override
                public void finish() {
                    endRun();
                    next.finish();
                }

                private void endRun() {
                    if (run.size() == 0) {
                        return;
                    }
                    var bytes = new byte[run.size()];
                    for (int i = 0; i < bytes.length; i++) {
                        bytes[i] = (byte) run.at(i);
                    }
                    run.clear();
                    String text = decode(bytes);
                    for (int i = 0; text == null && i < bytes.length; i++) {
                        next.accept("\uFFFD", true);
                    }
                    if (text != null) {
                        next.accept(text, true);
                    }
                }

                @Override
                public boolean holdsText() {
                    return run.size() > 0 || super.holdsText();
                }
            };
        }

        private static @Nullable String decode(byte[] bytes) {
            try {
                return StandardCharsets.UTF_8
                        .newDecoder()
                        .decode(ByteBuffer.wrap(bytes))
                        .toString();
            } catch (CharacterCodingException e) {
                return null;
            }
        }

        @Override
        public MiddleToken middle(MiddleToken token) {
            int b = token.bytes() == null ? ByteTokens.byteOf(token.text()) : -1;
            return b < 0 ? token : token.withBytes(new byte[] {(byte) b});
        }
    }

    /** All tokens to one. */
    record Fuse() implements DecoderStep {
        @Override
        public TokenStream open(TokenStream next) {
            return new TokenStream() {
                @Override
                public void accept(String piece, boolean endsToken) {
                    next.accept(piece, false);
                }

                @Override
                public void finish() {
                    next.accept("", true);
                    next.finish();
                }

                @Override
                public boolean holdsText() {
                    return next.holdsText();
                }
            };
        }

        @Override
        public MiddleToken middle(MiddleToken token) {
            return token.fuse();
        }
    }

    /** The visible space to a real one; the first token may lose it. */
    record Metaspaces(String replacement, boolean dropsFirst) implements DecoderStep {
        @Override
        public TokenStream open(TokenStream next) {
            return new TokenStream() {
                private boolean isFirst = true;

                @Override
                public void accept(String piece, boolean endsToken) {
                    next.accept(
                            piece.replace(replacement, isFirst && dropsFirst ? "" : " "),
                            endsToken);
                    isFirst &= !endsToken;
                }

                @Override
                public void finish() {
                    next.finish();
                }

                @Override
                public boolean holdsText() {
                    return next.holdsText();
                }
            };
        }

        @Override
        public MiddleToken middle(MiddleToken token) {
            return token.map(text -> text.replace(replacement, " "));
        }
    }

    /** A space before each token that does not continue a word. */
    record WordPieces(String prefix, boolean cleansUp) implements DecoderStep {
        @Override
        public TokenStream open(TokenStream next) {
            return new TokenStream.OfWholeTokens(next) {
                private boolean isFirst = true;

                @Override
                void token(String token) {
                    next.accept(isFirst ? cleaned(token) : joined(token), true);
                    isFirst = false;
                }
            };
        }

        private String joined(String token) {
            return cleaned(
                    token.startsWith(prefix) ? token.substring(prefix.length()) : " " + token);
        }

        private String cleaned(String token) {
            return cleansUp ? cleanUp(token) : token;
        }

        @Override
        public MiddleToken middle(MiddleToken token) {
            return token.map(this::joined);
        }
    }

    /** English punctuation and contractions lose the space before them. */
    static String cleanUp(String text) {
        return text.replace(" .", ".")
                .replace(" ?", "?")
                .replace(" !", "!")
                .replace(" ,", ",")
                .replace(" ' ", "'")
                .replace(" n't", "n't")
                .replace(" 'm", "'m")
                .replace(" do not", " don't")
                .replace(" 's", "'s")
                .replace(" 've", "'ve")
                .replace(" 're", "'re");
    }

    /** The suffix that ends a word to a space, but not that of the last token. */
    record WordEnds(String suffix) implements DecoderStep {
        @Override
        public TokenStream open(TokenStream next) {
            return new TokenStream.OfWholeTokens(next) {
                private @Nullable String waiting;

                @Override
                void token(String token) {
                    emit(" ");
                    waiting = token;
                    if (!token.contains(suffix)) {
                        emit("");
                    }
                }

                @Override
                public void finish() {
                    emit("");
                    next.finish();
                }

                private void emit(String space) {
                    if (waiting != null) {
                        next.accept(waiting.replace(suffix, space), true);
                        waiting = null;
                    }
                }

                @Override
                public boolean holdsText() {
                    return waiting != null || super.holdsText();
                }
            };
        }

        @Override
        public MiddleToken middle(MiddleToken token) {
            return token.map(text -> text.replace(suffix, " "));
        }
    }

    /** Equal tokens in a row count once, and padding not at all. */
    record Ctc(String padding, String delimiter, boolean cleansUp) implements DecoderStep {
        @Override
        public TokenStream open(TokenStream next) {
            return new TokenStream.OfWholeTokens(next) {
                private @Nullable String last;

                @Override
                void token(String token) {
                    if (!Objects.equals(token, last)) {
                        last = token;
                        String text = changed(token);
                        if (!text.isEmpty()) {
                            next.accept(text, true);
                        }
                    }
                }
            };
        }

        private String changed(String token) {
            String text = token.replace(padding, "");
            return cleansUp ? cleanUp(text).replace(delimiter, " ") : text;
        }

        @Override
        public MiddleToken middle(MiddleToken token) {
            return token.map(this::changed);
        }
    }

    /** What the reference does without a decoder: a space between the tokens. */
    record Spaces() implements DecoderStep {
        @Override
        public TokenStream open(TokenStream next) {
            return new TokenStream.OfWholeTokens(next) {
                private boolean isFirst = true;

                @Override
                void token(String token) {
                    next.accept(isFirst ? token : " " + token, true);
                    isFirst = false;
                }
            };
        }

        @Override
        public MiddleToken middle(MiddleToken token) {
            return token.map(text -> " " + text);
        }
    }
}
