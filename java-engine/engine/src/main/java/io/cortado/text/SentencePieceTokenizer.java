package io.cortado.text;

import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A tokenizer of SentencePiece's pieces: byte pairs whose ranks are the scores, or unigrams.
 *
 * <p>Control and user-defined pieces become added tokens: they are found in a text before it is
 * normalized and no merge makes them.
 */
final class SentencePieceTokenizer {
    private final SentencePieceFile file;
    private final int size;

    private SentencePieceTokenizer(SentencePieceFile file) {
        this.file = file;
        this.size = file.pieces().size();
    }

    /**
     * Puts a tokenizer together.
     *
     * @param more added tokens beside the pieces, or with the flags of some of the pieces
     */
    static Tokenizer read(SentencePieceFile file, List<AddedToken> more, PostProcessor around) {
        return new SentencePieceTokenizer(file).build(more, around);
    }

    private Tokenizer build(List<AddedToken> more, PostProcessor around) {
        refuse(file.whitespaceAsSuffix(), "trainer_spec.treat_whitespace_as_suffix", "true");
        refuse(!file.escapeWhitespaces(), "normalizer_spec.escape_whitespaces", "false");
        if (file.unknownId() >= size || file.unknownId() < -1) {
            throw new TokenizerFormatException(
                    "unknown piece out of range: unk_id=" + file.unknownId() + " pieces=" + size);
        }
        TokenIds ids = ids();
        List<AddedToken> added = addedTokens(more);
        WordModel model =
                switch (file.model()) {
                    case BPE -> bytePairs(ids);
                    case UNIGRAM -> unigrams();
                    case WORD, CHAR ->
                            throw Pipeline.unsupported(
                                    "SentencePiece model_type", file.model().name());
                };
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.set("normalizer", normalizer());
        if (file.model() == SentencePieceFile.Model.UNIGRAM) {
            root.set("pre_tokenizer", PipelineNodes.metaspace(file.addDummyPrefix()));
        }
        root.set("decoder", PipelineNodes.sentencePieceDecoder(file.addDummyPrefix()));
        String[] tokens =
                file.pieces().stream().map(SentencePieceFile.Piece::text).toArray(String[]::new);
        return TokenizerFile.assemble(
                root,
                new ModelFile(model, ids, tokens, size),
                NormalizerFile.read(root.path("normalizer")),
                added,
                around);
    }

    private static void refuse(boolean isSet, String option, String value) {
        if (isSet) {
            throw Pipeline.unsupported(option, value);
        }
    }

    private ObjectNode normalizer() {
        ObjectNode sequence = PipelineNodes.node("Sequence");
        ArrayNode steps = sequence.putArray("normalizers");
        if (file.charsMap().length > 0) {
            steps.add(
                    PipelineNodes.node("Precompiled")
                            .put(
                                    "precompiled_charsmap",
                                    Base64.getEncoder().encodeToString(file.charsMap())));
        }
        if (file.removeExtraWhitespaces()) {
            steps.add(PipelineNodes.replace("\\A +| +\\z", ""));
            steps.add(PipelineNodes.replace(" {2,}", " "));
        }
        if (file.model() == SentencePieceFile.Model.BPE) {
            if (file.addDummyPrefix()) {
                steps.add(PipelineNodes.prependSpace());
            }
            steps.add(PipelineNodes.markSpaces());
        }
        return sequence;
    }

    private TokenIds ids() {
        var ids = new TokenIds();
        for (int id = 0; id < size; id++) {
            int other = ids.put(file.pieces().get(id).text(), id);
            if (other != TokenIds.ABSENT) {
                throw new TokenizerFormatException(
                        "two pieces have one text: ids="
                                + other
                                + ","
                                + id
                                + " text="
                                + TokenizerFile.clip(file.pieces().get(id).text()));
            }
        }
        return ids;
    }

    private List<AddedToken> addedTokens(List<AddedToken> more) {
        Map<Integer, AddedToken> added = new LinkedHashMap<>();
        for (int id = 0; id < size; id++) {
            SentencePieceFile.Piece piece = file.pieces().get(id);
            boolean isSpecial =
                    switch (piece.kind()) {
                        case CONTROL, UNKNOWN -> true;
                        case USER_DEFINED, NORMAL, UNUSED, BYTE -> false;
                    };
            if (isSpecial || piece.kind() == SentencePieceFile.Kind.USER_DEFINED) {
                added.put(id, AddedToken.plain(id, piece.text(), isSpecial));
            }
        }
        for (AddedToken token : more) {
            boolean isPiece = token.id() < size;
            if (isPiece && !file.pieces().get(token.id()).text().equals(token.content())) {
                throw new TokenizerFormatException(
                        "added token has the id of a piece with another text: id="
                                + token.id()
                                + " content="
                                + TokenizerFile.clip(token.content()));
            }
            added.put(token.id(), token);
        }
        return new ArrayList<>(added.values());
    }

    /** What words are made of: no control token, no user-defined one. */
    private TokenIds spellable(TokenIds ids) {
        var spellable = new TokenIds();
        ids.forEach((text, id) -> {
            switch (file.pieces().get(id).kind()) {
                case NORMAL, UNUSED, BYTE -> spellable.put(text, id);
                case CONTROL, UNKNOWN, USER_DEFINED -> {}
            }
        });
        return spellable;
    }

    private BpeModel bytePairs(TokenIds ids) {
        TokenIds spellable = spellable(ids);
        int[] ranks = ranks();
        var lefts = new IntList();
        var rights = new IntList();
        var merged = new IntList();
        for (int id = 0; id < size; id++) {
            String text = file.pieces().get(id).text();
            if (!isMergeable(file.pieces().get(id).kind())) {
                continue;
            }
            char[] letters = text.toCharArray();
            for (int cut = 1; cut < letters.length; cut++) {
                int left = spellable.place(letters, 0, cut);
                int right = left < 0 ? left : spellable.place(letters, cut, letters.length);
                if (left >= 0 && right >= 0) {
                    requireMerges(merged.size());
                    lefts.add(spellable.id(left));
                    rights.add(spellable.id(right));
                    merged.add(id);
                }
            }
        }
        var table = new MergeTable(merged.size());
        for (int i = 0; i < merged.size(); i++) {
            int left = lefts.at(i);
            int right = rights.at(i);
            String text = file.pieces().get(left).text();
            table.put(
                    text.codePointBefore(text.length()),
                    file.pieces().get(right).text().codePointAt(0),
                    left,
                    right,
                    ranks[merged.at(i)],
                    merged.at(i));
        }
        int unknown = file.unknownId() < 0 ? BpeOptions.REFUSE_UNKNOWN : file.unknownId();
        return new BpeModel(
                spellable,
                table,
                new BpeOptions(false, unknown, true, file.byteFallback(), "", ""));
    }

    private static boolean isMergeable(SentencePieceFile.Kind kind) {
        return kind == SentencePieceFile.Kind.NORMAL || kind == SentencePieceFile.Kind.UNUSED;
    }

    private static void requireMerges(int merges) {
        if (merges == ModelFile.MAX_MERGES) {
            throw new TokenizerFormatException(
                    "pieces make too many merges: limit=" + ModelFile.MAX_MERGES);
        }
    }

    /** Of two merges the one with the better score comes first; equal scores have equal ranks. */
    private int[] ranks() {
        int[] byScore =
                IntStream.range(0, size)
                        .boxed()
                        .sorted(
                                Comparator.comparing(
                                        (Integer id) -> file.pieces().get(id).score(),
                                        Comparator.reverseOrder()))
                        .mapToInt(Integer::intValue)
                        .toArray();
        var ranks = new int[size];
        for (int i = 1; i < size; i++) {
            boolean isEqual =
                    file.pieces().get(byScore[i]).score()
                            == file.pieces().get(byScore[i - 1]).score();
            ranks[byScore[i]] = ranks[byScore[i - 1]] + (isEqual ? 0 : 1);
        }
        return ranks;
    }

    private UnigramModel unigrams() {
        List<String> spellings = new ArrayList<>(size);
        var scores = new double[size];
        for (int id = 0; id < size; id++) {
            SentencePieceFile.Piece piece = file.pieces().get(id);
            boolean isWord = piece.kind() == SentencePieceFile.Kind.NORMAL;
            // What is not to be spelled stays in the list for its id, without a text.
            spellings.add(
                    isWord || piece.kind() == SentencePieceFile.Kind.BYTE ? piece.text() : "");
            scores[id] = piece.score();
        }
        return new UnigramModel(spellings, scores, file.unknownId(), file.byteFallback());
    }
}
