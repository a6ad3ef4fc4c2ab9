package io.cortado.engine;

import io.cortado.api.EmbeddingInfo;
import io.cortado.api.Pooling;
import io.cortado.model.ModelConfig;
import io.cortado.model.SentenceFiles;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** How a model's folder wants its hidden states pooled. */
final class EmbeddingFiles {
    private EmbeddingFiles() {}

    /**
     * @param longest prompt that runs at all
     */
    static EmbeddingInfo read(Path folder, ModelConfig config, int longest) {
        SentenceFiles files = SentenceFiles.read(folder);
        Pooling pooling = pooling(files.poolingModes());
        return new EmbeddingInfo(
                config.hiddenSize(),
                pooling,
                files.normalizes(),
                files.maxTokens() == 0 ? longest : Math.min(longest, files.maxTokens()),
                config.isMatryoshka(),
                config.matryoshkaDimensions(),
                refusal(files, config, pooling));
    }

    private static @Nullable Pooling pooling(@Nullable List<String> modes) {
        if (modes == null) {
            return Pooling.LAST;
        }
        if (modes.size() != 1) {
            return null;
        }
        return switch (modes.getFirst()) {
            case "mean_tokens", "mean" -> Pooling.MEAN;
            case "lasttoken" -> Pooling.LAST;
            case "cls_token", "cls" -> Pooling.CLS;
            default -> null;
        };
    }

    private static @Nullable String refusal(
            SentenceFiles files, ModelConfig config, @Nullable Pooling pooling) {
        if (!files.others().isEmpty()) {
            return String.join("; ", files.others());
        }
        if (files.width() != 0 && files.width() != config.hiddenSize()) {
            return "its pooling expects word_embedding_dimension="
                    + files.width()
                    + ", config.json has hidden_size="
                    + config.hiddenSize();
        }
        return pooling == null
                ? "its pooling must be one of mean_tokens, lasttoken and cls_token: pooling_mode="
                        + files.poolingModes()
                : null;
    }
}
