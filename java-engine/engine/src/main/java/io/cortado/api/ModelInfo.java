package io.cortado.api;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an engine has loaded.
 *
 * @param name the folder's name
 * @param architecture from {@code config.json}
 * @param maxModelLen longest prompt plus output, in tokens
 * @param vocabSize columns of the logits
 * @param endTokenIds ids that end a generation
 * @param hasTokenizer text can go in and out
 * @param hasChatTemplate chats can go in
 * @param reasoning the markers that its tokenizer has for it; null: none
 * @param defaults sampling parameters of {@code generation_config.json}
 * @param embedding how it embeds
 * @param parameters number of weights
 * @param device what it runs on, for display
 */
public record ModelInfo(
        String name,
        String architecture,
        int maxModelLen,
        int vocabSize,
        List<Integer> endTokenIds,
        boolean hasTokenizer,
        boolean hasChatTemplate,
        @Nullable Reasoning reasoning,
        SamplingParams defaults,
        EmbeddingInfo embedding,
        long parameters,
        String device) {}
