package io.cortado.text;

import java.util.ArrayList;
import java.util.List;

/**
 * A {@code tokenizer.model} of SentencePiece as its protobuf schema (sentencepiece_model.proto) has
 * it, as far as tokenizing goes.
 *
 * @param charsMap the normalizer's precompiled map of characters, empty for none
 */
record SentencePieceFile(
        List<Piece> pieces,
        Model model,
        boolean byteFallback,
        boolean whitespaceAsSuffix,
        int unknownId,
        int bosId,
        int eosId,
        byte[] charsMap,
        boolean addDummyPrefix,
        boolean removeExtraWhitespaces,
        boolean escapeWhitespaces) {

    /** What a piece is for, by its number in the schema. */
    enum Kind {
        NORMAL,
        UNKNOWN,
        CONTROL,
        USER_DEFINED,
        UNUSED,
        BYTE
    }

    enum Model {
        UNIGRAM,
        BPE,
        WORD,
        CHAR
    }

    record Piece(String text, float score, Kind kind) {}

    static SentencePieceFile parse(byte[] content) {
        return new Builder().read(new ProtobufReader(content));
    }

    private static final class Builder {
        private final List<Piece> pieces = new ArrayList<>();
        private Model model = Model.UNIGRAM;
        private boolean byteFallback;
        private boolean whitespaceAsSuffix;
        private int unknownId;
        private int bosId = 1;
        private int eosId = 2;
        private byte[] charsMap = new byte[0];
        private boolean addDummyPrefix = true;
        private boolean removeExtraWhitespaces = true;
        private boolean escapeWhitespaces = true;

        SentencePieceFile read(ProtobufReader in) {
            while (in.next()) {
                switch (in.field()) {
                    case 1 -> piece(in.message());
                    case 2 -> trainer(in.message());
                    case 3 -> normalizer(in.message());
                    default -> in.skip();
                }
            }
            if (pieces.isEmpty()) {
                throw new TokenizerFormatException(
                        "tokenizer.model is no SentencePiece file: it has no pieces");
            }
            return new SentencePieceFile(
                    List.copyOf(pieces),
                    model,
                    byteFallback,
                    whitespaceAsSuffix,
                    unknownId,
                    bosId,
                    eosId,
                    charsMap,
                    addDummyPrefix,
                    removeExtraWhitespaces,
                    escapeWhitespaces);
        }

        private void piece(ProtobufReader in) {
            String text = "";
            float score = 0;
            Kind kind = Kind.NORMAL;
            while (in.next()) {
                switch (in.field()) {
                    case 1 -> text = in.text();
                    case 2 -> score = in.decimal();
                    case 3 -> kind = kind(in.number());
                    default -> in.skip();
                }
            }
            if (pieces.size() == ModelFile.MAX_TOKENS) {
                throw new TokenizerFormatException(
                        "tokenizer.model has too many pieces: limit=" + ModelFile.MAX_TOKENS);
            }
            if (Float.isNaN(score)) {
                throw new TokenizerFormatException(
                        "piece's score is no number: id=" + pieces.size());
            }
            pieces.add(new Piece(text, score, kind));
        }

        private static Kind kind(long number) {
            if (number < 1 || number > Kind.values().length) {
                throw new TokenizerFormatException(
                        "piece's type must be in [1, 6]: type=" + number);
            }
            return Kind.values()[(int) number - 1];
        }

        private void trainer(ProtobufReader in) {
            while (in.next()) {
                switch (in.field()) {
                    case 3 -> model = model(in.number());
                    case 24 -> whitespaceAsSuffix = in.flag();
                    case 35 -> byteFallback = in.flag();
                    case 40 -> unknownId = (int) in.number();
                    case 41 -> bosId = (int) in.number();
                    case 42 -> eosId = (int) in.number();
                    default -> in.skip();
                }
            }
        }

        private static Model model(long number) {
            if (number < 1 || number > Model.values().length) {
                throw new TokenizerFormatException(
                        "SentencePiece model_type must be in [1, 4]: model_type=" + number);
            }
            return Model.values()[(int) number - 1];
        }

        private void normalizer(ProtobufReader in) {
            while (in.next()) {
                switch (in.field()) {
                    case 2 -> charsMap = in.bytes();
                    case 3 -> addDummyPrefix = in.flag();
                    case 4 -> removeExtraWhitespaces = in.flag();
                    case 5 -> escapeWhitespaces = in.flag();
                    default -> in.skip();
                }
            }
        }
    }
}
