package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.Prompt;
import io.cortado.api.Reasoning;
import io.cortado.model.GgufModel;
import io.cortado.text.Segment;
import io.cortado.text.Tokenizer;
import io.cortado.text.UnsupportedTokenizerException;
import io.cortado.text.jinja.ChatTemplates;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Text in and out of a model that may have no tokenizer and no chat template. Any thread. */
final class Texts {
    /** Of Qwen3, DeepSeek-R1, GLM-4.5 and their like. */
    private static final Reasoning THINK = new Reasoning("<think>", "</think>");

    private final @Nullable Tokenizer tokenizer;

    private final @Nullable ChatRenderer chats;

    Texts(@Nullable Tokenizer tokenizer, @Nullable ChatRenderer chats) {
        this.tokenizer = tokenizer;
        this.chats = chats;
    }

    /** Reads what a model's folder or GGUF file has. */
    static Texts open(Path folder) {
        try {
            return GgufModel.isGguf(folder) ? ofGguf(folder) : ofFolder(folder);
        } catch (UnsupportedTokenizerException e) {
            throw new EngineException(
                    EngineException.Code.UNSUPPORTED_MODEL,
                    folder + ": " + e.getMessage(),
                    null,
                    e);
        } catch (IOException | RuntimeException e) {
            throw new EngineException(
                    EngineException.Code.INVALID_MODEL, folder + ": " + e.getMessage(), null, e);
        }
    }

    private static Texts ofFolder(Path folder) throws IOException {
        return Tokenizer.isIn(folder)
                ? new Texts(Tokenizer.open(folder), new ChatRenderer(ChatTemplates.open(folder)))
                : new Texts(null, null);
    }

    private static Texts ofGguf(Path file) {
        try (GgufModel model = GgufModel.open(file)) {
            Map<String, Object> keys = model.tokenizerKeys();
            return keys.containsKey("tokenizer.ggml.tokens")
                    ? new Texts(
                            Tokenizer.fromGguf(keys),
                            new ChatRenderer(ChatTemplates.fromGguf(keys)))
                    : new Texts(null, null);
        }
    }

    boolean hasChatTemplate() {
        return chats != null && chats.hasTemplate();
    }

    /** The markers that the vocabulary has for reasoning; null where it has none. */
    @Nullable Reasoning reasoning() {
        boolean knowsBoth =
                tokenizer != null
                        && tokenizer.idOf(THINK.begin()).isPresent()
                        && tokenizer.idOf(THINK.end()).isPresent();
        return knowsBoth ? THINK : null;
    }

    /** Ids that may be drawn of logits of this width: what lies beyond the tokenizer is padding. */
    int vocabSize(int width) {
        return tokenizer == null ? width : Math.min(width, tokenizer.vocabSize());
    }

    @Nullable Tokenizer tokenizer() {
        return tokenizer;
    }

    int[] tokenize(Prompt prompt) {
        return switch (prompt) {
            case Prompt.Tokens(int[] ids) -> ids.clone();
            case Prompt.Text(String text, boolean addSpecialTokens) ->
                    needTokenizer("prompt").encode(List.of(Segment.user(text)), addSpecialTokens);
            case Prompt.Chat chat -> needTokenizer("messages").encode(segments(chat), false);
        };
    }

    String render(Prompt.Chat chat) {
        return segments(chat).stream().map(Segment::text).collect(Collectors.joining());
    }

    private List<Segment> segments(Prompt.Chat chat) {
        if (chats == null) {
            throw EngineException.invalid("messages", "the model has no chat template");
        }
        return chats.render(chat);
    }

    /** The prompt as the output repeats it. */
    String echo(Prompt prompt, int[] ids) {
        if (prompt instanceof Prompt.Text text) {
            return text.text();
        }
        return tokenizer == null ? "" : tokenizer.decode(ids, false);
    }

    String detokenize(int[] ids, boolean skipSpecialTokens) {
        Tokenizer known = needTokenizer("tokens");
        for (int id : ids) {
            checkId(known, id);
        }
        return known.decode(ids, skipSpecialTokens);
    }

    String tokenText(int id) {
        Tokenizer known = needTokenizer("tokens");
        checkId(known, id);
        String text = known.tokenText(id);
        return text == null ? "" : text;
    }

    private static void checkId(Tokenizer tokenizer, int id) {
        if (id < 0 || id >= tokenizer.vocabSize()) {
            throw EngineException.invalid(
                    "tokens", "ids must be in [0, " + tokenizer.vocabSize() + "): id=" + id);
        }
    }

    private Tokenizer needTokenizer(String param) {
        if (tokenizer == null) {
            throw EngineException.invalid(
                    param, "the model has no tokenizer: text cannot go in or out");
        }
        return tokenizer;
    }
}
